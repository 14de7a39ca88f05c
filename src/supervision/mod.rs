//! stub
/// stub
#[derive(Debug)]

pub struct Stop;
impl actix::Message for Stop { type Result = (); }
