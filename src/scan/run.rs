//! Reading what was planned.
