//! The one place with `unsafe`: mapping a published file, which never changes (I1).
