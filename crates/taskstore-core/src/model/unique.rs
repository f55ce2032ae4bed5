//! Unique keys, as what is compared: a hash that every engine stores alike.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{
    Result,
    limits::{self, UNIQUE_KEY_BYTES_MAX},
};

/// The hash of a scope and a key within it. One live task (queued, running or paused) per hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UniqueHash(pub [u8; 32]);

impl UniqueHash {
    /// SHA-256 over the length of the scope, the scope, and the key: no two pairs share an input.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): the key or the scope has more than 1 KiB.
    ///
    /// ```
    /// # use taskstore_core::UniqueHash;
    /// assert_ne!(UniqueHash::new("a", "bc").unwrap(), UniqueHash::new("ab", "c").unwrap());
    /// assert!(UniqueHash::new("a", &"k".repeat(1025)).is_err());
    /// ```
    pub fn new(scope: &str, key: &str) -> Result<Self> {
        limits::check_bytes("unique scope", scope.len(), UNIQUE_KEY_BYTES_MAX)?;
        limits::check_bytes("unique key", key.len(), UNIQUE_KEY_BYTES_MAX)?;
        let mut hash = Sha256::new();
        hash.update((scope.len() as u64).to_be_bytes());
        hash.update(scope);
        hash.update(key);
        Ok(Self(hash.finalize().into()))
    }
}

impl fmt::Debug for UniqueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
