use std::path::Path;
use std::process::Command;

use heavenbase::driver::WriteMode;
use heavenbase::types::Value;
use heavenbase::{ErrorKind, Status};

use crate::common::{ITEM, KINDS, Store, item, text};

/// Rows that together need more than a megabyte.
fn heavy(from: i64) -> Vec<(String, Vec<Value>)> {
    (from..from + 40).map(|n| (format!("heavy-{n}"), vec![text(&format!("{n}-{}", "x".repeat(60_000))), Value::Int(n)])).collect()
}

#[tokio::test]
async fn a_path_that_cannot_be_is_a_typed_error() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "no directory").unwrap();
        for path in [file.clone(), file.join("below"), Path::new("/proc/nowhere").to_owned()] {
            let error = Store::connect(kind, &path, &ITEM, "space").await.err().unwrap();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Storage, Status::Permanent), "{error:?}");
            assert!(error.detail("path").is_some());
        }
        assert_eq!(std::fs::read(&file).unwrap(), b"no directory");
    }
}

/// Mounts a file system of two megabytes, where this is allowed; unmounts it at the end.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Small> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(directory.path()).output();
        mounted.is_ok_and(|ran| ran.status.success()).then_some(Small(directory))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    for kind in KINDS {
        let Some(small) = Small::mount() else {
            eprintln!("not run: mounting a small file system needs root");
            return;
        };
        let store = Store::open(kind, small.0.path(), &ITEM).await;
        store.upsert(1, vec![item("a", 1)]).await;
        let error = store.write(WriteMode::Upsert, 2, heavy(0)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Storage, Status::Permanent), "{error:?}");
        // Nothing of the batch is there, nothing older is gone, and once there is room, writing works again.
        for store in [store.clone(), Store::open(kind, small.0.path(), &ITEM).await] {
            assert_eq!(store.everything().await.len(), 1, "{kind}");
        }
        store.upsert(3, heavy(0).into_iter().take(3).collect()).await;
        let mut written = 4;
        for n in 0..200 {
            match store.write(WriteMode::Upsert, 4, heavy(100 + n).into_iter().take(1).collect()).await {
                Ok(_) => written += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Storage, "{error:?}");
                    break;
                }
            }
        }
        assert!(written > 5, "{kind}: {written}");
        for store in [store.clone(), Store::open(kind, small.0.path(), &ITEM).await] {
            assert_eq!(store.everything().await.len(), written, "{kind}");
        }
    }
}

const CHILD: &str = "HEAVENBASE_TEST_FILES_NOBODY";

/// Not a test of its own: what the test below runs as a user without rights.
#[tokio::test]
async fn child_without_rights() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (kind, directory) = task.split_once('|').unwrap();
    let kind = KINDS.into_iter().find(|k| *k == kind).unwrap();
    let store = Store::connect(kind, Path::new(directory), &ITEM, "space").await.unwrap();
    // What may be read is read.
    assert!(store.get("a").await.unwrap().is_some());
    let error = store.write(WriteMode::Upsert, 2, vec![item("b", 1)]).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::PermissionDenied, Status::Permanent), "{error:?}");
    let error = Store::connect(kind, &Path::new(directory).join("new"), &ITEM, "space").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    println!("checked without rights");
}

#[tokio::test]
async fn a_user_without_rights_is_told_so() {
    use std::os::unix::fs::PermissionsExt;
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        store.upsert(1, vec![item("a", 1)]).await;
        // Another user, for root may do everything. The test binary must be where that user may run it.
        let binary = directory.path().join("test-binary");
        std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
        let ran = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&binary)
            .args(["--exact", "trouble::child_without_rights", "--nocapture"])
            .env(CHILD, format!("{kind}|{}", directory.path().display()))
            .output();
        let Ok(ran) = ran else {
            eprintln!("not run: no setpriv here");
            return;
        };
        if String::from_utf8_lossy(&ran.stderr).contains("setpriv:") {
            eprintln!("not run: becoming another user needs root");
            return;
        }
        let printed = String::from_utf8_lossy(&ran.stdout);
        assert!(printed.contains("checked without rights"), "{printed}\n{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(store.everything().await.len(), 1);
    }
}

#[tokio::test]
async fn what_a_crash_left_half_written_does_not_count() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        store.upsert(1, vec![item("a", 1)]).await;
        let part = directory.path().join(format!("space__item.{kind}"));
        let litter = part.join(".writing-1-1");
        std::fs::write(&litter, "{\"format\":1,\"del").unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        assert_eq!(store.everything().await.len(), 1);
        assert!(!litter.exists());
    }
}
