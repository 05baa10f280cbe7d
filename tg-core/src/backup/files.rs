//! Many files, as many at a time as there are processors.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::Error as CoreError;
use crate::thread::joined;

/// A directory's files, and the directories below it and itself. Nothing but these may be in it: a link would lead out of it.
pub fn below(root: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), CoreError> {
    let (mut files, mut directories) = (Vec::new(), vec![root.to_owned()]);
    let mut seen = 0;
    while let Some(directory) = directories.get(seen).cloned() {
        seen += 1;
        for entry in fs::read_dir(&directory).map_err(|e| CoreError::file(&directory, &e))? {
            let entry = entry.map_err(|e| CoreError::file(&directory, &e))?;
            let path = entry.path();
            match entry.file_type().map_err(|e| CoreError::file(&path, &e))? {
                kind if kind.is_dir() => directories.push(path),
                kind if kind.is_file() => files.push(path),
                _ => {
                    return Err(CoreError::file(
                        path,
                        &io::Error::other("it is neither a file nor a directory"),
                    ));
                }
            }
        }
    }
    Ok((files, directories))
}

/// Does the same with each of them; the answers come in any order, and the first error ends it.
pub fn each<I: Sync, T: Send, E: Send>(
    items: &[I],
    work: &(dyn Fn(&I) -> Result<T, E> + Sync),
) -> Result<Vec<T>, E> {
    let queue = Mutex::new(items.iter());
    let next = || queue.lock().ok()?.next();
    let worker = || -> Result<Vec<T>, E> {
        let mut done = Vec::new();
        while let Some(item) = next() {
            done.push(work(item)?);
        }
        Ok(done)
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let all: Result<Vec<Vec<T>>, E> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(joined).collect()
    });
    Ok(all?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_an_error_is_told() {
        let numbers: Vec<u32> = (0..1000).collect();
        let mut doubled = each(&numbers, &|n| Ok::<_, ()>(n * 2)).unwrap();
        doubled.sort_unstable();
        assert_eq!(doubled, numbers.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(each(&numbers, &|n| if *n == 700 { Err("no") } else { Ok(()) }), Err("no"));
    }
}
