//! What each edit of the files changes and what it leaves alone, as the server sees it: each row of the table "What a change
//! does" in docs/configuration.md.

mod credentials;
mod in_place;
mod level;
mod nothing;
mod restarts;
mod rules;
mod start_and_stop;
