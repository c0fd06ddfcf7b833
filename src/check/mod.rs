//! Check: verify a store, a snapshot or a repository, and name exactly what is damaged.
