"""The binary form of BRC-100 calls, for wallets and apps that talk bytes instead of JSON.

``frames`` is what a transport uses; ``create_action``, ``actions`` and ``outputs`` hold the layouts of the methods,
``reader`` and ``writer`` the values that all layouts are made of.
"""
