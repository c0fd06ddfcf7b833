//! (load/convert)
