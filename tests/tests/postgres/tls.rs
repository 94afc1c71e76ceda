//! Encryption, against a server whose certificate an authority of the test's own signed for `localhost`.

use heavenbase::ErrorKind;
use heavenbase::backends::postgres::Tls;
use heavenbase::backends::{Connect, Postgres};
use heavenbase::driver::Driver;
use std::sync::Arc;

use super::common::{address, pool};

async fn is_encrypted(driver: &Arc<dyn Driver>) -> bool {
    let text = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let (encrypted,): (bool,) = sqlx::query_as(text).fetch_one(&pool(driver)).await.unwrap();
    encrypted
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_and_the_host_are_checked() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES_TLS") else { return };
    let (plain, options) = address.split_once('?').expect("the address names the authority's certificate");
    let authority = options.split_once("sslrootcert=").unwrap().1.to_owned();
    let right = std::fs::read(&authority).unwrap();
    let wrong = std::fs::read(authority.replace("authority.crt", "other.crt")).unwrap();
    let elsewhere = plain.replace("localhost", "127.0.0.1");
    let connected = [
        ("as the address says", Postgres::url(&address), true),
        ("verified", Postgres::url(plain).tls(Tls::VerifyFull).root_certificate(right.clone()), true),
        ("the authority alone", Postgres::url(&elsewhere).tls(Tls::VerifyCertificate).root_certificate(right.clone()), true),
        ("nothing checked", Postgres::url(&elsewhere).tls(Tls::Require), true),
        ("where it is offered", Postgres::url(plain), true),
        ("never", Postgres::url(plain).tls(Tls::Disable), false),
    ];
    for (name, config, encrypted) in connected {
        let driver = config.connect().await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(is_encrypted(&driver).await, encrypted, "{name}");
    }
    let refused = [
        ("another authority", Postgres::url(plain).tls(Tls::VerifyFull).root_certificate(wrong.clone())),
        ("another authority, the host unchecked", Postgres::url(plain).tls(Tls::VerifyCertificate).root_certificate(wrong)),
        ("another host", Postgres::url(&elsewhere).tls(Tls::VerifyFull).root_certificate(right)),
        ("no authority", Postgres::url(plain).tls(Tls::VerifyFull)),
    ];
    for (name, config) in refused {
        let error = config.connect().await.err().unwrap_or_else(|| panic!("{name}: connects"));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error:?}");
        assert!(error.to_string().contains("check the TLS options"), "{name}: {error}");
    }
}
