"""Model versions, their lineage and the aliases under which devices find them."""
