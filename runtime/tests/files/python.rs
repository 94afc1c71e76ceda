use std::path::Path;
use std::process::{Command, Stdio};

use heavenbase::types::Value;

use crate::common::{EVERYTHING, KINDS, Store, assert_same, edges, item};
use crate::common::{ITEM, json};

/// Runs a Python program with a part's directory as its argument and returns what it prints.
fn python(program: &str, part: &Path) -> String {
    let ran = Command::new("python3").arg("-c").arg(program).arg(part).stderr(Stdio::piped()).output().expect("python3 is installed");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// How Python reads a part: what `docs/decisions/0010-files-as-segments.md` tells its reader to do.
const READ: &str = r#"
import glob, json, pickle, sys, os
def load_pickles(path):
    found = []
    with open(path, 'rb') as file:
        while True:
            try: found.append(pickle.load(file))
            except EOFError: return found
def read(part):
    rows = {}
    if part.endswith('.json'):
        for path in sorted(glob.glob(part + '/rows-*.json')):
            with open(path, encoding='utf-8') as file: segment = json.load(file)
            for id in segment.get('deleted', []): rows.pop(id, None)
            rows.update(segment['rows'])
    if part.endswith('.pickle'):
        for path in sorted(glob.glob(part + '/rows-*.pickle')):
            head, *found = load_pickles(path)
            for id in head['deleted']: rows.pop(id, None)
            rows.update(zip(head['lengths'], found, strict=True))
    if part.endswith('.file'):
        for path in glob.glob(part + '/rows/*.json'):
            with open(path, encoding='utf-8') as file: row = json.load(file)
            for name, value in row.items():
                if name != 'payload' and isinstance(value, dict):
                    with open(part + '/rows/' + value['$file'], 'rb') as file: row[name] = file.read()
            rows[row['object_id']] = row
    return rows
part = sys.argv[1]
"#;

#[tokio::test]
async fn python_reads_what_was_written() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &EVERYTHING).await;
        store.upsert(3, edges()).await;
        store.upsert(4, vec![("gone".into(), vec![Value::Null; 15])]).await;
        store.write(heavenbase::driver::WriteMode::Delete, 5, vec![("gone".into(), vec![])]).await.unwrap();
        // Python writes each value in a form of its own, which is compared with what we know was stored.
        let program = format!(
            "{READ}
from datetime import datetime, date
from decimal import Decimal
from uuid import UUID
import struct
rows = read(part)
for id in sorted(rows, key=lambda id: id.encode()):
    row = rows[id]
    assert row['object_id'] == id and row['_hb_version'] == 3, row
    if row['title'] is None:
        assert all(v is None for k, v in row.items() if k not in ('object_id', '_hb_version')), row
        print(json.dumps([id]))
        continue
    blob = row['blob'] if isinstance(row['blob'], bytes) else bytes.fromhex(row['blob'])
    print(json.dumps([id, row['flag'], str(row['number']), struct.pack('>d', row['ratio']).hex(),
        str(Decimal(row['price'])), row['title'], blob.hex(), datetime.fromisoformat(row['moment']).isoformat(),
        date.fromisoformat(row['day']).isoformat(), str(row['span']), UUID(row['token']).hex, row['shade'], row['payload'],
        row['tags'], [struct.pack('>f', x).hex() for x in row['vector']], row['owner']]))
"
        );
        let printed = python(&program, &directory.path().join(format!("space__everything.{kind}")));
        let mut wanted = edges();
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        let lines: Vec<serde_json::Value> = printed.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(lines.len(), wanted.len());
        for (line, (id, values)) in lines.iter().zip(wanted) {
            let found = line.as_array().unwrap();
            assert_eq!(found[0], id.as_str());
            if values[4].is_null() {
                continue;
            }
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            assert_eq!(found[1], true);
            let Value::Int(number) = values[1] else { panic!() };
            assert_eq!(found[2], number.to_string());
            let Value::Float(ratio) = values[2] else { panic!() };
            assert_eq!(found[3], hex(&ratio.to_be_bytes()), "{id}");
            assert_eq!(found[4], "12345678901234.500000");
            assert_eq!(found[5], values[4].as_text().unwrap());
            let Value::Bytes(blob) = &values[5] else { panic!() };
            assert_eq!(found[6], hex(blob));
            assert_eq!(found[7], "2026-11-21T06:30:00.000001+00:00");
            assert_eq!(found[8], "1969-12-31");
            assert_eq!(found[9], i64::MIN.to_string());
            assert_eq!(found[10], "0123456789abcdef0123456789abcdef");
            assert_eq!(found[11], "Dark");
            let Value::Json(payload) = &values[11] else { panic!() };
            let marked = payload.is_null() || payload.get("$json").is_some();
            assert_eq!(found[12], if marked { serde_json::json!({"$json": payload}) } else { (**payload).clone() });
            assert_eq!(found[13].as_array().unwrap().len(), values[12].as_list().unwrap().len());
            let vector: Vec<_> = values[13].as_vector().unwrap().iter().map(|x| hex(&x.to_be_bytes())).collect();
            assert_eq!(found[14], serde_json::json!(vector));
            assert_eq!(found[15], "person/1");
        }
    }
}

/// How Python writes a part, from plain rows: each kind in its documented form.
const WRITE: &str = r#"
def write(part, number, rows, deleted=(), **options):
    name = f'{part}/rows-{number:010}-{number:010}'
    document = {'format': 1, 'deleted': list(deleted), 'rows': rows}
    if part.endswith('.json'):
        with open(name + '.json', 'w', encoding='utf-8') as file: json.dump(document, file, **options)
    if part.endswith('.pickle'):
        with open(name + '.pickle', 'wb') as file: pickle.dump(document, file, **options)
    if part.endswith('.file'):
        safe = b'abcdefghijklmnopqrstuvwxyz0123456789-_'
        path = lambda id: part + '/rows/' + ''.join(chr(b) if b in safe else f'%{b:02x}' for b in id.encode()) + '.json'
        for id in deleted: os.remove(path(id))
        for id, row in rows.items():
            # The digest in a long name is BLAKE3, which Python does not have.
            if len(path(id)) > len(path('')) + 150: continue
            with open(path(id), 'w', encoding='utf-8') as file: json.dump(row, file, **options)
"#;

#[tokio::test]
async fn what_python_wrote_is_read() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &EVERYTHING).await;
        store.upsert(3, vec![("old".into(), vec![Value::Null; 15]), ("kept".into(), vec![Value::Null; 15])]).await;
        // Python reads a part written here, and writes it again under another number, row by row as it found it.
        let second = Store::open(kind, directory.path().join("copy").as_path(), &EVERYTHING).await;
        second.upsert(3, edges()).await;
        let source = directory.path().join("copy").join(format!("space__everything.{kind}"));
        let program = format!(
            "{READ}{WRITE}
rows = read({source:?})
rows['fresh'] = {{'number': 9223372036854775807, 'ratio': 3, 'price': '0.000001', 'title': '\\ud7ff é \\U0001F980', 'tags': ['x'],
    'moment': '2026-11-21T07:30:00+01:00', 'vector': [1, 0.5, -0.25], 'payload': {{'a': [1, 2.5, None]}}}}
options = {{'indent': 2}} if part.endswith('.json') else {{}}
write(part, 9, rows, ['old'], **options)
print('done')
"
        );
        python(&program, &store_part(directory.path(), kind));
        store.driver.refresh(&store.part).await.unwrap();
        for store in [store.clone(), Store::open(kind, directory.path(), &EVERYTHING).await] {
            assert!(store.get("old").await.unwrap().is_none() && store.get("kept").await.unwrap().is_some());
            for (id, values) in edges().into_iter().filter(|(id, _)| kind != "file" || id.len() < 200) {
                let (version, found) = store.get(&id).await.unwrap().unwrap();
                assert_eq!(version, 3);
                assert_same(&found, &values, &format!("{kind} {id}"));
            }
            let (version, fresh) = store.get("fresh").await.unwrap().unwrap();
            assert_eq!(version, 0);
            assert_eq!(fresh[1..3], [Value::Int(i64::MAX), Value::Float(3.0)]);
            assert_eq!(fresh[4], Value::Text("\u{d7ff} é 🦀".into()));
            assert_eq!(fresh[6], Value::Timestamp("2026-11-21T06:30:00Z".parse().unwrap()));
            assert_eq!((&fresh[11], &fresh[13]), (&json(r#"{"a":[1,2.5,null]}"#), &Value::Vector([1.0, 0.5, -0.25].into())));
        }
        // And what comes after is numbered on.
        store.upsert(20, vec![("later".into(), vec![Value::Null; 15])]).await;
        assert!(Store::open(kind, directory.path(), &EVERYTHING).await.get("later").await.unwrap().is_some());
    }
}

fn store_part(directory: &Path, kind: &str) -> std::path::PathBuf {
    directory.join(format!("space__everything.{kind}"))
}

#[tokio::test]
async fn a_row_that_does_not_fit_the_entity_is_damage_of_that_row() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        store.upsert(1, vec![item("a", 1)]).await;
        let program = format!(
            "{READ}{WRITE}
write(part, 2, {{'good': {{'number': 1}}, 'type': {{'number': 'secret'}}, 'stray': {{'colour': 1}}, 'range': {{'number': 2**63}},
    'wrong-id': {{'object_id': 'other'}}, 'flat': 7}})
"
        );
        python(&program, &directory.path().join(format!("space__item.{kind}")));
        store.driver.refresh(&store.part).await.unwrap();
        assert!(store.get("a").await.unwrap().is_some() && store.get("good").await.unwrap().is_some());
        for id in ["type", "stray", "range", "wrong-id", "flat"] {
            let error = store.get(id).await.unwrap_err();
            assert_eq!(error.kind(), heavenbase::ErrorKind::Corrupt, "{id}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

#[tokio::test]
async fn pickles_of_every_protocol_are_read_and_none_is_run() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open("pickle", directory.path(), &EVERYTHING).await;
    let part = store_part(directory.path(), "pickle");
    for protocol in 0..6 {
        // Shared objects go through the memo; protocols below 3 have no bytes of their own.
        let program = format!(
            "{READ}{WRITE}
blob = bytes(range(256)) if {protocol} >= 3 else '00ff'
tags, payload = ['x', 'é\\\\u \\n🦀', ''], {{'k': [None, True, -1, 2**40, 2**63, 1.5]}}
row = {{'flag': False, 'number': -2**63, 'ratio': -0.0, 'title': 'line\\nend\\\\\\r', 'blob': blob, 'tags': tags, 'payload': payload}}
rows = {{f'{{n}}-{protocol}': dict(row) for n in range(300)}}
write(part, {protocol} + 1, rows, protocol={protocol})
"
        );
        python(&program, &part);
        store.driver.refresh(&store.part).await.unwrap();
        for n in [0, 299] {
            let (_, row) = store.get(&format!("{n}-{protocol}")).await.unwrap().unwrap();
            assert_eq!((&row[0], &row[1]), (&Value::Bool(false), &Value::Int(i64::MIN)));
            assert_same(&row[2..3], &[Value::Float(-0.0)], "ratio");
            assert_eq!(row[4], Value::Text("line\nend\\\r".into()));
            assert_eq!(row[5], Value::Bytes(if protocol >= 3 { (0..=255u8).collect() } else { [0, 255].into() }));
            let tags = ["x", "é\\u \n🦀", ""].map(|t| Value::Text(t.into()));
            assert_eq!(row[12], Value::List(tags.into()));
            assert_eq!(row[11], json(r#"{"k":[null,true,-1,1099511627776,9223372036854775808,1.5]}"#));
        }
    }
    // A pickle that would run something when Python loads it.
    let program = format!(
        "{READ}{WRITE}
class Trap:
    def __reduce__(self): return os.system, ('touch ' + part + '/sprung',)
write(part, 7, {{'trap': {{'title': Trap()}}}})
"
    );
    python(&program, &part);
    let error = store.driver.refresh(&store.part).await.unwrap_err();
    assert_eq!(error.kind(), heavenbase::ErrorKind::Corrupt);
    assert!(error.to_string().contains("never run") && error.to_string().contains("rows-0000000007"), "{error}");
    assert!(!part.join("sprung").exists());
}
