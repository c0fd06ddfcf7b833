//! Which row groups and pages of a segment a predicate cannot rule out. Pure: footer and page index in, selection out.
