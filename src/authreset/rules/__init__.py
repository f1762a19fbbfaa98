"""Pure decisions. Standard library only; nothing here reads, writes or waits."""
