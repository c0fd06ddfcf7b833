//! (load/route)
