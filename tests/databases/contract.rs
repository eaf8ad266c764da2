//! The contract suite on each database.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bookhub_core::{MongoConfig, MongoStore, Store, store_contract};

/// The mongo-java-server, with the change streams that MongoDB documents.
mod java_server {
    super::store_contract!(super::empty_store(&bookhub_tests::java_server().uri("")).await);
}

/// FerretDB on SQLite, without change streams.
mod ferretdb {
    super::store_contract!(super::empty_store(&bookhub_tests::ferret().uri("")).await);
}

/// The MongoDB that `BOOKHUB_TEST_MONGODB_URI` names.
#[cfg(feature = "mongod")]
mod mongod {
    fn uri() -> String {
        std::env::var("BOOKHUB_TEST_MONGODB_URI").expect("it names a replica set")
    }

    super::store_contract!(super::empty_store(&uri()).await);
}

/// A store in a new database on a server.
async fn empty_store(uri: &str) -> Arc<dyn Store> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let database = format!("contract_{}_{number}", process::id());
    // The stand-ins take their time for many documents.
    let deadline = Duration::from_secs(20);
    let config = MongoConfig { database, deadline, ..MongoConfig::default() };
    Arc::new(MongoStore::connect(uri, config).await.expect("the database is there"))
}
