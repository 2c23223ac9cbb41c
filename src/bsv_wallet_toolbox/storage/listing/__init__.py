"""What a user's storage shows: outputs, actions, balances. Everything here only reads."""
