//! (load/budget)
