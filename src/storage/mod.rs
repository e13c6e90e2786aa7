//! R2StorageService: files as bytes in the object store and rows in the database, kept in step by one protocol.

pub mod key;
