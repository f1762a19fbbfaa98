"""What is typed: the names, options and help of each verb. Imports nothing heavy at the top."""
