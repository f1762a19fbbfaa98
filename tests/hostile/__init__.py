"""What strangers may try: floods, broken requests, slow and stubborn clients, poisoned fields."""
