use serde::de::DeserializeOwned;

use super::*;
use crate::format::{DocumentKind, decode_document, encode_document};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The payload is this one, and comes back the same.
fn frozen<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(kind: DocumentKind, document: &T, json: &str) {
    let bytes = encode_document(kind, document).unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert_eq!(text.split_once('\n').unwrap().1, json);
    assert_eq!(&decode_document::<T>(kind, &bytes, "file").unwrap(), document);
}

fn record(work: JobWork) -> JobRecord {
    JobRecord {
        job: JobId::new(7),
        created_ms: 1,
        timeout_ms: 2,
        database: name("d"),
        label: Label::new("l").unwrap(),
        repository: name("r"),
        repository_id: RepositoryId::from_u128(10),
        objects: vec!["[d.t]".into()],
        concurrent: false,
        work,
    }
}

#[test]
fn requests_are_frozen() {
    let head = r#"{"job":7,"created_ms":1,"timeout_ms":2,"database":"d","label":"l","repository":"r","#.to_owned()
        + r#""repository_id":"0000000000000000000000000000000a","objects":["[d.t]"],"concurrent":false,"work":"#;
    let tables = vec![(name("t"), vec![name("p")]), (name("u"), vec![])];
    let selection = JobSelection::Tables { database: name("d"), tables };
    let backup = record(JobWork::Backup { selection });
    let json = r#"{"backup":{"selection":{"tables":{"database":"d","tables":[["t",["p"]],["u",[]]]}}}}}"#;
    frozen(DocumentKind::Job, &backup, &format!("{head}{json}"));
    let restore = record(JobWork::Restore {
        selection: JobSelection::Database(name("d")),
        rename_databases: BTreeMap::from([(name("d"), name("e"))]),
        rename_tables: vec![JobRename { database: name("d"), name: name("t"), to: name("u") }],
        rename_views: vec![JobRename { database: name("d"), name: name("v"), to: name("w") }],
        replace_other_schema: true,
        keep_other_partitions: false,
        backup_created_ms: 3,
        targets: vec![(name("e"), name("u"))],
        allow_load: true,
        replication_num: 1,
    });
    let json = r#"{"restore":{"selection":{"database":"d"},"rename_databases":{"d":"e"},"#.to_owned()
        + r#""rename_tables":[{"database":"d","name":"t","to":"u"}],"#
        + r#""rename_views":[{"database":"d","name":"v","to":"w"}],"replace_other_schema":true,"keep_other_partitions":false,"backup_created_ms":3,"#
        + r#""targets":[["e","u"]],"allow_load":true,"replication_num":1}}}"#;
    frozen(DocumentKind::Job, &restore, &format!("{head}{json}"));
    let objects = record(JobWork::Backup {
        selection: JobSelection::Objects {
            database: name("d"),
            all_tables: true,
            all_views: false,
            tables: vec![],
            views: vec![name("v")],
        },
    });
    let json = r#"{"backup":{"selection":{"objects":{"database":"d","all_tables":true,"all_views":false,"#.to_owned()
        + r#""tables":[],"views":["v"]}}}}}"#;
    frozen(DocumentKind::Job, &objects, &format!("{head}{json}"));
    let all = record(JobWork::Backup { selection: JobSelection::Store });
    frozen(DocumentKind::Job, &all, &format!("{head}{}", r#"{"backup":{"selection":"store"}}}"#));
}

#[test]
fn steps_progress_and_wishes_are_frozen() {
    let times = JobTimes { snapshot_finished_ms: Some(4), ..JobTimes::default() };
    let begun = JobTransition {
        job: JobId::new(7),
        number: 0,
        state: JobState::UploadSnapshot,
        at_ms: 5,
        times,
        backup: Some(BackupId::from_u128(11)),
        backup_created_ms: Some(3),
        report: None,
        undo: None,
        error: None,
        undecided: false,
    };
    let times_json = r#""times":{"snapshot_finished_ms":4,"upload_finished_ms":null,"download_finished_ms":null}"#;
    let backup = r#""backup":"0000000000000000000000000000000b","backup_created_ms":3"#;
    let json = format!(
        r#"{{"job":7,"number":0,"state":"UPLOAD_SNAPSHOT","at_ms":5,{times_json},{backup},"report":null,"undo":null,"error":null,"undecided":false}}"#
    );
    frozen(DocumentKind::JobState, &begun, &json);
    let error = JobError { code: JobErrorCode::CommonError, message: "m".into() };
    let over = JobTransition {
        state: JobState::Cancelled,
        report: Some(JobReport { tables: 1, rows: 2, copied: 3, copied_bytes: 4, reused: 5, reused_bytes: 6 }),
        undo: Some(UndoId::from_u128(12)),
        error: Some(error),
        undecided: true,
        ..begun
    };
    let report = r#""report":{"tables":1,"rows":2,"copied":3,"copied_bytes":4,"reused":5,"reused_bytes":6}"#;
    let end =
        r#""undo":"0000000000000000000000000000000c","error":{"code":"COMMON_ERROR","message":"m"},"undecided":true"#;
    let json = format!(r#"{{"job":7,"number":0,"state":"CANCELLED","at_ms":5,{times_json},{backup},{report},{end}}}"#);
    frozen(DocumentKind::JobState, &over, &json);
    let shown =
        StateProgress { state: JobState::Uploading, items_done: 1, items_total: 2, bytes_done: 3, bytes_total: 4 };
    let progress = JobProgressRecord { job: JobId::new(7), state: JobState::Uploading, times, progress: vec![shown] };
    let one = r#"{"state":"UPLOADING","items_done":1,"items_total":2,"bytes_done":3,"bytes_total":4}"#;
    let json = format!(r#"{{"job":7,"state":"UPLOADING",{times_json},"progress":[{one}]}}"#);
    frozen(DocumentKind::JobProgress, &progress, &json);
    let cancel = JobCancelRecord { job: JobId::new(7), at_ms: 9 };
    frozen(DocumentKind::JobCancel, &cancel, r#"{"job":7,"at_ms":9}"#);
}

#[test]
fn the_words_of_states_are_those_that_are_written() {
    use JobState::*;
    for state in [
        Pending,
        Snapshoting,
        UploadSnapshot,
        Uploading,
        SaveMeta,
        UploadInfo,
        Download,
        Downloading,
        Commit,
        Committing,
        Finished,
        Cancelled,
    ] {
        assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
    }
}
