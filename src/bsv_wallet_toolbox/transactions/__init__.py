"""Transactions as bytes: raw views, block headers, BUMP, BEEF, SPV verification, sizes, fee and change selection.

No wallet, no keys, no network, no database. Only ``script_vm`` touches the SDK.
"""
