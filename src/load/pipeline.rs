//! (load/pipeline)
