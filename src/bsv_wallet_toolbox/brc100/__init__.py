"""The 28 methods of BRC-100: argument and result types, the wallet interface, argument validation, the JSON form."""
