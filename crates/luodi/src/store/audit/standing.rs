//! Whether the stored log may be carried on: it is the one that was signed last, and no smaller and
//! no other than the key folder remembers.
//!
//! Asked before every signature, so it looks at the edges only: the last checkpoint, the tree's right
//! side, the proof that it grew from the mark. `verify` recomputes everything.

use super::mark::Mark;
use super::tree::{self, Head, Stored};
use crate::store::read::Query;
use crate::store::{StoreError, params};

/// How the log stands before it is carried on.
pub(super) enum Standing {
    /// As it was signed last; nothing where nothing was signed yet.
    Sound(Option<Mark>),
    /// Not so: why, in Chinese.
    Broken(String),
}

/// Looks at the log.
///
/// # Errors
/// What the engine reports.
pub(super) fn standing(
    q: &dyn Query,
    head: &Head,
    mark: Option<&Mark>,
) -> Result<Standing, StoreError> {
    match look(q, head, mark) {
        Err(StoreError::Log(why)) => Ok(Standing::Broken(why)),
        Err(error) => Err(error),
        Ok(signed) => Ok(Standing::Sound(signed)),
    }
}

fn broken<T>(why: impl Into<String>) -> Result<T, StoreError> {
    Err(StoreError::Log(why.into()))
}

fn look(q: &dyn Query, head: &Head, mark: Option<&Mark>) -> Result<Option<Mark>, StoreError> {
    let sql = "SELECT MAX(number) FROM audit_leaf";
    let last: Option<i64> = q.row(sql, params![], |row| row.get(0))?;
    let numbered = last.map_or(0, |last| tree::count(last).saturating_add(1));
    if numbered != head.size {
        let size = head.size;
        return broken(format!("日志记有 {size} 个事件，编号到了 {numbered} 个"));
    }
    let signed = signed(q, head)?;
    let (Some(mark), size) = (mark, head.size) else {
        return Ok(signed);
    };
    let Some(signed) = signed.filter(|signed| signed.size >= mark.size) else {
        return broken(format!(
            "日志有 {size} 个事件，密钥文件夹记得签过 {} 个：末尾被截去，或换成了旧的副本",
            mark.size
        ));
    };
    if signed.origin != mark.origin {
        return broken("日志的名称与密钥文件夹记得的不同：换成了另一个日志");
    }
    match tree::grew(q, (mark.size, &mark.root), (size, &signed.root))? {
        true => Ok(Some(signed)),
        false => broken(format!(
            "日志不是从密钥文件夹记得的前 {} 个事件长出来的：换成了另一段历史",
            mark.size
        )),
    }
}

/// The last checkpoint, which is of the whole stored tree; none where nothing has a number yet.
fn signed(q: &dyn Query, head: &Head) -> Result<Option<Mark>, StoreError> {
    let Some(kept) = tree::latest(q)? else {
        return match head.size {
            0 => Ok(None),
            size => broken(format!("日志有 {size} 个事件，检查点却被删除")),
        };
    };
    let log = tree::signer(q.keys(), &head.origin)?.verifier();
    let Ok(checkpoint) = kept.open(&log) else {
        return broken("最后的检查点被改动，或属于另一个日志");
    };
    if checkpoint.size != head.size {
        return broken(format!(
            "日志有 {} 个事件，最后的检查点却有 {} 个",
            head.size, checkpoint.size
        ));
    }
    let root = trail::root(&Stored(q), head.size)?;
    if root != checkpoint.root {
        return broken("日志树与最后的检查点不符");
    }
    Ok(Some(Mark {
        origin: checkpoint.origin,
        size: checkpoint.size,
        root,
    }))
}
