#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::ErrorKind;
use crate::id::{IdSource, TableId};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

struct Fixture {
    ids: IdSource,
    state: CatalogState,
}

impl Fixture {
    fn new() -> Fixture {
        let state = ddl::create_database(&CatalogState::default(), &name("d")).unwrap();
        Fixture { ids: IdSource::seeded(1), state }
    }

    fn set(&mut self, change: impl FnOnce(&CatalogState) -> Result<CatalogState>) {
        self.state = change(&self.state).unwrap();
        ddl::check_state(&self.state).unwrap();
    }

    fn terms(&self) -> RecycleTerms {
        RecycleTerms { recycle: RecycleId::random(&self.ids), now_ms: 100, keep_ms: 10 }
    }

    fn create(&mut self, table: &str) -> TableId {
        let id = TableId::random(&self.ids);
        self.set(|state| ddl::create_table(state, "d", &name(table), id));
        id
    }

    fn drop(&mut self, table: &str) -> RecycleId {
        let terms = self.terms();
        self.set(|state| drop_table(state, "d", table, &terms));
        terms.recycle
    }
}

fn last<'a>(to: &'a Name) -> Recovery<'a> {
    Recovery { recycle: None, to }
}

#[test]
fn of_several_tables_of_a_name_the_last_comes_back_unless_the_id_says_otherwise() {
    let mut catalog = Fixture::new();
    let (t, first) = (name("t"), catalog.create("t"));
    let entry = catalog.drop("t");
    let second = catalog.create("t");
    catalog.drop("t");
    assert_eq!(catalog.state.recycled[0].expires_ms, 110);
    let back = recover_table(&catalog.state, "d", "t", last(&t)).unwrap();
    assert_eq!(ddl::table(&back, "d", "t").unwrap(), second);
    let one = Recovery { recycle: Some(entry), to: &t };
    assert_eq!(ddl::table(&recover_table(&catalog.state, "d", "t", one).unwrap(), "d", "t").unwrap(), first);
    let error = recover_table(&back, "d", "t", last(&t)).unwrap_err();
    assert!(error.is(ErrorKind::AlreadyExists) && error.to_string().contains("another name"), "{error}");
    recover_table(&back, "d", "t", last(&name("u"))).unwrap();
    let error = recover_table(&back, "d", "x", last(&t)).unwrap_err();
    assert!(error.is(ErrorKind::NotFound) && error.to_string().contains("tables t"), "{error}");
}

#[test]
fn a_table_dropped_before_its_database_comes_back_after_it_under_the_new_name_of_it() {
    let mut catalog = Fixture::new();
    let (early, late) = (catalog.create("early"), catalog.create("late"));
    catalog.drop("early");
    let terms = catalog.terms();
    catalog.set(|state| drop_database(state, "d", &terms));
    assert!(recover_table(&catalog.state, "d", "early", last(&name("early"))).unwrap_err().is(ErrorKind::NotFound));
    // Another database of the name has nothing to do with it.
    catalog.set(|state| ddl::create_database(state, &name("d")));
    assert!(recover_table(&catalog.state, "d", "early", last(&name("early"))).unwrap_err().is(ErrorKind::NotFound));
    let error = recover_database(&catalog.state, "d", last(&name("d"))).unwrap_err();
    assert!(error.is(ErrorKind::AlreadyExists), "{error}");
    catalog.set(|state| recover_database(state, "d", last(&name("e"))));
    assert_eq!(ddl::table(&catalog.state, "e", "late").unwrap(), late);
    catalog.set(|state| ddl::rename_database(state, "e", &name("f")));
    catalog.set(|state| recover_table(state, "f", "early", last(&name("early"))));
    assert_eq!(ddl::table(&catalog.state, "f", "early").unwrap(), early);
    assert!(catalog.state.recycled.is_empty());
}

#[test]
fn emptying_a_database_ends_the_tables_dropped_from_it_before() {
    let mut catalog = Fixture::new();
    let (early, late) = (catalog.create("early"), catalog.create("late"));
    catalog.drop("early");
    let forced = ddl::drop_database_force(&catalog.state, "d").unwrap();
    ddl::check_state(&forced).unwrap();
    assert_eq!(forced.dropped, [late, early]);
    let terms = catalog.terms();
    catalog.set(|state| drop_database(state, "d", &terms));
    assert!(ddl::needed_tables(&catalog.state).contains(&early) && ddl::needed_tables(&catalog.state).contains(&late));
    catalog.set(|state| Ok(empty(state, |entry| entry.recycle == terms.recycle)));
    assert!(catalog.state.recycled.is_empty());
    assert_eq!(catalog.state.dropped, [early, late]);
}

#[test]
fn a_bin_that_contradicts_itself_is_refused() {
    let mut catalog = Fixture::new();
    catalog.create("t");
    catalog.drop("t");
    let check = |change: &dyn Fn(&mut CatalogState)| {
        let mut state = catalog.state.clone();
        change(&mut state);
        ddl::check_state(&state).unwrap_err()
    };
    check(&|state| state.recycled.push(state.recycled[0].clone()));
    check(&|state| state.dropped.extend(state.recycled[0].what.tables()));
    check(&|state| state.databases.clear());
    let unknown = RecycleId::random(&IdSource::seeded(9));
    check(&|state| {
        if let Recycled::Table { dropped_database, .. } = &mut state.recycled[0].what {
            *dropped_database = Some(unknown);
        }
    });
}
