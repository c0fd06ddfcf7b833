use crate::sql::parser::parse_script;
use crate::sql::parser::samples::SCRIPTS;

#[test]
fn scripts_of_the_manual_parse() {
    for (script, count) in SCRIPTS {
        let mut found = 0;
        for parsed in parse_script(script) {
            parsed.unwrap_or_else(|error| panic!("{script}: {error}"));
            found += 1;
        }
        assert_eq!(found, *count, "{script}");
    }
}
