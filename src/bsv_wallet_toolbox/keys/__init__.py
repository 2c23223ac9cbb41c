"""Keys: where the root key comes from and everything derived from it (BRC-42, BRC-43)."""
