"""Table access shared by all stores: clients, keys, transactions, paging and caches."""
