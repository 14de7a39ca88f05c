//! What an edit of the files touches and what it does not, row by row of the reload table, as the server sees it.

mod credentials;
mod in_place;
mod level;
mod nothing;
mod restarts;
mod rules;
mod start_and_stop;
