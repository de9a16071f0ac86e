//! Whether the contents on the disk are those the rows name: there, whole, and nobody else's.
//!
//! The name of a content is a keyed hash of it, and the log binds the row that holds the name; so
//! what opens under its owner's key and has its own name is what was uploaded. It lacks the rows,
//! which the log's own verification compares.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;

use serde::Serialize;
use uuid::Uuid;

use super::{CLASS, content_path, contents, name_of};
use crate::params;
use crate::store::{DataKey, Query, Reading, StoreError};

/// Folders of contents, by the first two digits of their names.
const FOLDERS: u16 = 256;

/// What a verification looked at, and what it found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// Contents read, each once however many rows name it.
    pub files: u64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// What is not as it was uploaded.
    #[serde(skip)]
    pub altered: Vec<Altered>,
}

/// A content that is not as it was uploaded.
#[derive(Clone, Debug)]
pub struct Altered {
    /// The first row that names it.
    pub id: Option<Uuid>,
    /// What is wrong, in Chinese.
    pub why: &'static str,
}

/// Reads every content that a row names; after each folder it tells what share is done, of 256.
/// Blocking.
///
/// # Errors
/// What the engine reports, or a disk that cannot be read.
pub fn verify(
    reading: &Reading,
    told: &mut dyn FnMut(u16, &Verified),
) -> Result<Verified, StoreError> {
    let mut done = Verified::default();
    let mut keys = HashMap::new();
    for folder in 0..FOLDERS {
        let prefix = format!("{folder:02x}");
        let named = reading.read(|q| contents(&**q, &prefix))?;
        for (name, owner) in named {
            let why = look(reading, &mut keys, &mut done, (&name, owner))?;
            let Some(why) = why else { continue };
            // Since the names were read, the file may have been let go.
            if let Some(id) = reading.read(|q| row_of(&**q, &name, owner))? {
                done.altered.push(Altered { id: Some(id), why });
            }
        }
        told(folder + 1, &done);
    }
    Ok(done)
}

/// What is wrong with one content.
fn look(
    reading: &Reading,
    keys: &mut HashMap<Uuid, Option<DataKey>>,
    done: &mut Verified,
    (name, owner): (&str, Uuid),
) -> Result<Option<&'static str>, StoreError> {
    let path = content_path(&reading.attachments(), name);
    let sealed = match fs::read(&path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Some("文件的内容不在磁盘上。"));
        }
        Err(error) => {
            return Err(StoreError::Unavailable(format!(
                "{}：{error}",
                path.display()
            )));
        }
    };
    done.files += 1;
    done.bytes += sealed.len() as u64;
    let key = match keys.get(&owner) {
        Some(known) => known.clone(),
        None => {
            let found = match reading.read(|q| q.data_key(owner)) {
                Ok(key) => Some(key),
                Err(
                    StoreError::NotFound(_)
                    | StoreError::KeyDestroyed(_)
                    | StoreError::Unsealable(_),
                ) => None,
                Err(error) => return Err(error),
            };
            keys.entry(owner).or_insert(found).clone()
        }
    };
    let Some(key) = key else {
        return Ok(Some("文件主人的数据密钥没有了，内容无法打开。"));
    };
    Ok(match key.open_as(CLASS, &sealed) {
        Err(_) => Some("文件的内容被改动，或换成了别人的文件。"),
        Ok(plain) if name_of(reading.keys(), owner, &plain) != name => {
            Some("文件的内容不是上传时的内容：换成了另一个文件。")
        }
        Ok(_) => None,
    })
}

/// The first row that names a content.
fn row_of(q: &dyn Query, name: &str, owner: Uuid) -> Result<Option<Uuid>, StoreError> {
    let sql =
        "SELECT id FROM attachment WHERE content_name = ?1 AND owner_id = ?2 ORDER BY id LIMIT 1";
    q.row_opt(sql, params![name, owner], |row| row.get(0))
}
