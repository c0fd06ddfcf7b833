//! Linking the files of a snapshot.
