//! What may be sent to a CPE as a connection request, byte by byte, and the expected outcome.

use crate::harness::stanzas::CONNECTION_REQUEST;

/// The CWMP client is notified, and the answer is an empty result.
pub const ACCEPTED: &str = "result";
/// Not a valid connection request, or not a valid request at all.
pub const BAD_REQUEST: &str = "error modify bad-request";
/// Wrong credentials.
pub const NOT_AUTHORIZED: &str = "error cancel 401 not-authorized";
/// A request that the CPE does not support, or a sender that is not allowed.
pub const UNAVAILABLE: &str = "error cancel 503 service-unavailable";
/// No answer.
pub const NOTHING: &str = "no answer";
/// The stream is closed (RFC 6120 4.9.3.13).
pub const NOT_WELL_FORMED: &str = "stream error not-well-formed";
/// The stream is closed (RFC 6120 4.9.3.18).
pub const RESTRICTED: &str = "stream error restricted-xml";

/// Errors from the servers themselves.
const SERVER_BAD_REQUEST: &str = "server: error modify bad-request";
const SERVER_UNAVAILABLE: &str = "server: error cancel service-unavailable";
const SERVER_NOT_WELL_FORMED: &str = "server: stream error not-well-formed";

/// One payload.
pub struct Row {
    /// Its description.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The `id` that the answer must have.
    pub id: Option<String>,
    /// The outcome if xmppd receives exactly these bytes.
    pub direct: &'static str,
    /// The outcome through Prosody, if it differs; with the prefix `server: ` if the server itself answers.
    pub prosody: &'static str,
    /// The same for ejabberd.
    pub ejabberd: &'static str,
}

const HEAD: &str = "id='of-the-row' from='acs@a.test/r' to='cpe@a.test/wan'";
const USER: &str = "<username>cpe-user</username>";
const PASS: &str = "<password>cpe-secret</password>";

impl Row {
    fn prosody(mut self, comes: &'static str) -> Self {
        self.prosody = comes;
        self
    }

    fn ejabberd(mut self, comes: &'static str) -> Self {
        self.ejabberd = comes;
        self
    }

    fn both(self, comes: &'static str) -> Self {
        self.prosody(comes).ejabberd(comes)
    }

    /// Sets another `id`: its written form, and its value.
    fn with_id(mut self, written: &str, meant: Option<&str>) -> Self {
        let text = String::from_utf8(self.bytes).unwrap();
        self.bytes = text.replace("id='of-the-row'", written).into_bytes();
        self.id = meant.map(str::to_owned);
        self
    }
}

fn bytes(name: &'static str, bytes: impl Into<Vec<u8>>, comes: &'static str) -> Row {
    let id = Some("of-the-row".to_owned());
    Row { name, bytes: bytes.into(), id, direct: comes, prosody: comes, ejabberd: comes }
}

/// An IQ of type `get` with this payload.
fn get(name: &'static str, payload: &str, comes: &'static str) -> Row {
    bytes(name, format!("<iq type='get' {HEAD}>{payload}</iq>"), comes)
}

/// A connection request with this content.
fn request(name: &'static str, content: &str, comes: &'static str) -> Row {
    get(name, &format!("<connectionRequest xmlns='{CONNECTION_REQUEST}'>{content}</connectionRequest>"), comes)
}

/// A connection request with these bytes as its content.
fn raw(name: &'static str, content: &[u8], comes: &'static str) -> Row {
    let whole = request(name, "@", comes);
    let at = whole.bytes.iter().rposition(|&byte| byte == b'@').unwrap();
    let bytes = [&whole.bytes[..at], content, &whole.bytes[at + 1..]].concat();
    Row { bytes, ..whole }
}

fn good() -> String {
    format!("<connectionRequest xmlns='{CONNECTION_REQUEST}'>{USER}{PASS}</connectionRequest>")
}

/// All rows, in any order.
pub fn rows() -> Vec<Row> {
    [forms(), malformed(), wrong(), others(), whole_stanzas(), not_xml()].into_iter().flatten().collect()
}

/// The same valid request, written in different ways.
fn forms() -> Vec<Row> {
    let both = |name, content: &str| request(name, content, ACCEPTED);
    let ns = CONNECTION_REQUEST;
    let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
    vec![
        both("as it should be", &format!("{USER}{PASS}")),
        both("in the other order", &format!("{PASS}{USER}")),
        both("white space around", &format!("\n\t {USER}\r\n  {PASS} \n")),
        both("text between", &format!("a{USER}b &amp; <![CDATA[<c>]]>{PASS}d")),
        both("CDATA", "<username><![CDATA[cpe-user]]></username><password><![CDATA[cpe-secret]]></password>"),
        both(
            "CDATA in several pieces",
            "<username><![CDATA[cpe]]><![CDATA[]]>-<![CDATA[us]]>er</username>\
             <password>cpe<![CDATA[-secre]]><![CDATA[t]]></password>",
        ),
        both("numeric references", "<username>&#99;&#x70;&#x0065;-user</username><password>cpe&#x2D;secret</password>"),
        both(
            "attributes on both",
            "<username a='1' b=\"2\">cpe-user</username><password type='x' xmlns:q='urn:q' q:r='s'>cpe-secret</password>",
        ),
        both("xml:lang", "<username xml:lang='de'>cpe-user</username><password xml:lang=''>cpe-secret</password>"),
        both(
            "xml:space",
            "<username xml:space='preserve'>cpe-user</username><password xml:space='default'>cpe-secret</password>",
        ),
        both("white space in tags", "<username\n>cpe-user</username\t><password >cpe-secret</password \n>"),
        both("further children", &format!("<a/>{USER}<b><username>x</username></b>{PASS}<c xmlns='urn:c'>text</c>")),
        both("a deep further child", &format!("{USER}{deep}{PASS}")),
        both("a user name of somebody else's", &format!("<username xmlns='urn:x'>other</username>{USER}{PASS}")),
        both("a password without namespace", &format!("{USER}<password xmlns=''>other</password>{PASS}")),
        both(
            "prefixed children",
            &format!(
                "<p:username xmlns:p='{ns}'>cpe-user</p:username><p:password xmlns:p='{ns}'>cpe-secret</p:password>"
            ),
        ),
        get(
            "a prefix throughout",
            &format!(
                "<c:connectionRequest xmlns:c='{ns}'><c:username>cpe-user</c:username>\
                 <c:password>cpe-secret</c:password></c:connectionRequest>"
            ),
            ACCEPTED,
        ),
        get(
            "a prefix, and children in the default namespace that was set to the same",
            &format!("<c:connectionRequest xmlns:c='{ns}' xmlns='{ns}'>{USER}{PASS}</c:connectionRequest>"),
            ACCEPTED,
        ),
        get(
            "attributes on the payload",
            &good()
                .replace("<connectionRequest", "<connectionRequest version='1' xml:lang='en' xmlns:x='urn:x' x:y='z'"),
            ACCEPTED,
        ),
        get("a namespace in other quotes", &good().replace(&format!("'{ns}'"), &format!("\"{ns}\"")), ACCEPTED),
        get("a namespace with a reference", &good().replace("urn:broadband", "urn&#58;broadband"), ACCEPTED),
        get("white space around the payload", &format!("\n  {}\r\n", good()), ACCEPTED),
        get("text around the payload", &format!("some{}text", good()), ACCEPTED),
        request("no id", &format!("{USER}{PASS}"), ACCEPTED).with_id("", None).both(SERVER_BAD_REQUEST),
        request("an empty id", &format!("{USER}{PASS}"), ACCEPTED).with_id("id=''", Some("")),
        request("an id of 3 kB", &format!("{USER}{PASS}"), ACCEPTED)
            .with_id(&format!("id='{}'", "0123456789".repeat(300)), Some(&"0123456789".repeat(300))),
        request("an id with entities", &format!("{USER}{PASS}"), ACCEPTED)
            .with_id("id='&lt;a b=&quot;c&quot; d=&apos;e&apos;/&gt;&amp;amp;&#60;'", Some("<a b=\"c\" d='e'/>&amp;<")),
        request("an id in double quotes that holds single ones", &format!("{USER}{PASS}"), ACCEPTED)
            .with_id("id=\"'/>&lt;x y='\"", Some("'/><x y='")),
        request("an id of line ends and blanks", &format!("{USER}{PASS}"), ACCEPTED)
            .with_id("id=' a&#10;&#9;b '", Some(" a\n\tb ")),
        request("an id of another script", &format!("{USER}{PASS}"), ACCEPTED)
            .with_id("id='\u{5d0}\u{202e}\u{1f600}'", Some("\u{5d0}\u{202e}\u{1f600}")),
    ]
}

/// Invalid connection requests.
fn malformed() -> Vec<Row> {
    let both = |name, content: &str| request(name, content, BAD_REQUEST);
    vec![
        both("neither", ""),
        both("text alone", "cpe-user cpe-secret"),
        both("no user name", PASS),
        both("no password", USER),
        both("two user names", &format!("{USER}{USER}{PASS}")),
        both("two passwords", &format!("{USER}{PASS}{PASS}")),
        both("two of each", &format!("{USER}{PASS}{USER}{PASS}")),
        both("a second password that is empty", &format!("{USER}{PASS}<password/>")),
        both("an element in the user name", &format!("<username>cpe-<b/>user</username>{PASS}")),
        both(
            "somebody else's element in the password",
            &format!("{USER}<password><x xmlns='urn:x'/>cpe-secret</password>"),
        ),
        both("each in an element", "<username><v>cpe-user</v></username><password><v>cpe-secret</v></password>"),
        both("the password in the user name", &format!("<username>cpe-user{PASS}</username>")),
        both("a request in the request", &good()),
        both("both in a wrapper", &format!("<credentials>{USER}{PASS}</credentials>")),
        both("a user name of somebody else's alone", &format!("<username xmlns='urn:x'>cpe-user</username>{PASS}")),
        both(
            "children without namespace",
            "<username xmlns=''>cpe-user</username><password xmlns=''>cpe-secret</password>",
        ),
        both("capitals", "<Username>cpe-user</Username><Password>cpe-secret</Password>"),
        both("attributes in place of children", "<username value='cpe-user'/><x/>"),
        get(
            "a prefix, and children in the stream's namespace",
            &format!("<c:connectionRequest xmlns:c='{CONNECTION_REQUEST}'>{USER}{PASS}</c:connectionRequest>"),
            BAD_REQUEST,
        ),
        get("an empty element", &format!("<connectionRequest xmlns='{CONNECTION_REQUEST}'/>"), BAD_REQUEST),
    ]
}

/// Valid requests with wrong credentials.
fn wrong() -> Vec<Row> {
    let user = |name, text: &str| request(name, &format!("<username>{text}</username>{PASS}"), NOT_AUTHORIZED);
    let pass = |name, text: &str| request(name, &format!("{USER}<password>{text}</password>"), NOT_AUTHORIZED);
    vec![
        request("both empty", "<username/><password/>", NOT_AUTHORIZED),
        user("an empty user name", ""),
        pass("an empty password", "<![CDATA[]]>"),
        user("a user name of 60 kB", &"cpe-user".repeat(7500)),
        pass("a password of 60 kB", &"x".repeat(60_000)),
        user("a user name of 60 kB of references", &"&#99;".repeat(12_000)),
        user("a user name of 60 kB that begins like the right one", &format!("cpe-user{}", " ".repeat(60_000))),
        user("white space around the user name", " cpe-user\n"),
        pass("a reference to white space behind the password", "cpe-secret&#32;"),
        user("capitals", "CPE-USER"),
        user("entities twice", "cpe&amp;#45;user"),
        pass("all five entities", "&lt;&gt;&amp;&quot;&apos;"),
        pass("the end of a CDATA section", "cpe-secret]]&gt;"),
        user("from right to left", "\u{202e}resu-epc"),
        user("a script from right to left", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}"),
        pass("emoji", "\u{1f600}\u{1f468}\u{200d}\u{1f469}"),
        user("an invisible character", "cpe-user\u{200b}"),
        pass("letters that look alike", "\u{441}p\u{435}-secret"),
        request(
            "each in the other's place",
            "<username>cpe-secret</username><password>cpe-user</password>",
            NOT_AUTHORIZED,
        ),
        request(
            "a second right one of each that does not count",
            &format!("<username>x</username><password>y</password><z>{USER}{PASS}</z>"),
            NOT_AUTHORIZED,
        ),
    ]
}

/// Other payloads, several payloads, or none.
fn others() -> Vec<Row> {
    let ns = CONNECTION_REQUEST;
    let in_namespace =
        |name, other: &str| get(name, &good().replace(&format!("'{ns}'"), &format!("'{other}'")), UNAVAILABLE);
    vec![
        in_namespace("in another namespace", "urn:x"),
        in_namespace("in the next version's namespace", "urn:broadband-forum-org:cwmp:xmppConnReq-1-1"),
        in_namespace("in a namespace with a blank behind it", "urn:broadband-forum-org:cwmp:xmppConnReq-1-0 "),
        in_namespace("in a namespace in capitals", &ns.to_uppercase()),
        in_namespace("in no namespace", ""),
        get("in the stream's namespace", &good().replace(&format!(" xmlns='{ns}'"), ""), UNAVAILABLE),
        get(
            "a prefix of another namespace",
            &format!("<c:connectionRequest xmlns:c='urn:c' xmlns='{ns}'>{USER}{PASS}</c:connectionRequest>"),
            UNAVAILABLE,
        ),
        get("another name", &good().replace("connectionRequest", "ConnectionRequest"), UNAVAILABLE),
        get("nested", &format!("<x xmlns='urn:x'>{}</x>", good()), UNAVAILABLE),
        get("a child's name", &format!("<username xmlns='{ns}'>cpe-user</username>"), UNAVAILABLE),
        get("no payload", "", BAD_REQUEST).prosody(SERVER_BAD_REQUEST),
        bytes("no payload, as an empty element", format!("<iq type='get' {HEAD}/>"), BAD_REQUEST)
            .prosody(SERVER_BAD_REQUEST),
        get("white space for a payload", " \n ", BAD_REQUEST).prosody(SERVER_BAD_REQUEST),
        get("text for a payload", "cpe-user cpe-secret", BAD_REQUEST).prosody(SERVER_BAD_REQUEST),
        get("two payloads", &good().repeat(2), BAD_REQUEST).prosody(SERVER_BAD_REQUEST),
        get("a request and a ping", &format!("{}<ping xmlns='urn:xmpp:ping'/>", good()), BAD_REQUEST)
            .prosody(SERVER_BAD_REQUEST),
        get("a ping and a request", &format!("<ping xmlns='urn:xmpp:ping'/>{}", good()), BAD_REQUEST)
            .prosody(SERVER_BAD_REQUEST),
        get("a request and an error", &format!("{}<error type='cancel'/>", good()), BAD_REQUEST)
            .prosody(SERVER_BAD_REQUEST),
    ]
}

/// Variations of the stanza around the payload.
fn whole_stanzas() -> Vec<Row> {
    let typed = |name, kind: &str, comes| bytes(name, format!("<iq {kind} {HEAD}>{}</iq>", good()), comes);
    let from = |name, from: &str, comes| {
        let head = format!("id='of-the-row' {from} to='cpe@a.test/wan'");
        bytes(name, format!("<iq type='get' {head}>{}</iq>", good()), comes)
    };
    let to = |name, to: &str| {
        let head = format!("id='of-the-row' from='acs@a.test/r' {to}");
        bytes(name, format!("<iq type='get' {head}>{}</iq>", good()), ACCEPTED)
    };
    vec![
        typed("`set` for `get`", "type='set'", ACCEPTED),
        typed("unknown attributes", "type='get' x='y' xmlns:z='urn:z' z:type='set'", ACCEPTED),
        typed("xml:lang on the stanza", "type='get' xml:lang='de-AT'", ACCEPTED),
        typed("the stream's namespace once more", "type='get' xmlns='jabber:client'", ACCEPTED),
        typed("no type", "", BAD_REQUEST).both(SERVER_BAD_REQUEST),
        typed("an empty type", "type=''", BAD_REQUEST).both(SERVER_BAD_REQUEST),
        typed("an unknown type", "type='ask'", BAD_REQUEST).both(SERVER_BAD_REQUEST),
        typed("a type in capitals", "type='GET'", BAD_REQUEST).both(SERVER_BAD_REQUEST),
        typed("an answer that nobody asked for", "type='result'", NOTHING),
        typed("an error that nobody asked for", "type='error'", NOTHING),
        bytes("an empty result", format!("<iq type='result' {HEAD}/>"), NOTHING),
        bytes("a message", format!("<message type='chat' {HEAD}>{}</message>", good()), NOTHING),
        bytes("a presence", format!("<presence type='unavailable' {HEAD}>{}</presence>", good()), NOTHING),
        // The servers set the sender.
        from("no sender", "", UNAVAILABLE).both(ACCEPTED),
        from("a sender's bare JID", "from='acs@a.test'", ACCEPTED),
        from("an empty sender", "from=''", UNAVAILABLE).prosody(ACCEPTED).ejabberd(SERVER_BAD_REQUEST),
        from("a sender that is no JID", "from='@@/'", UNAVAILABLE).prosody(ACCEPTED).ejabberd(SERVER_BAD_REQUEST),
        // The servers answer for the account.
        to("to the bare JID", "to='cpe@a.test'").both(SERVER_UNAVAILABLE),
        to("to nobody", "").both(SERVER_UNAVAILABLE),
        to("to a JID in capitals", "to='CPE@A.TEST/wan'"),
    ]
}

/// Invalid XML, or XML that XMPP forbids (RFC 6120 11.1): the stream is closed, and the next one works.
fn not_xml() -> Vec<Row> {
    let both = |name, text: &str, comes| request(name, &format!("{text}{USER}{PASS}"), comes);
    let restricted = [
        // ejabberd drops it and forwards the rest.
        both("a comment", "<!-- comment -->", RESTRICTED).ejabberd(ACCEPTED),
        request("a comment in the user name", &format!("<username>cpe-<!-- -->user</username>{PASS}"), RESTRICTED)
            .ejabberd(ACCEPTED),
        both("a processing instruction", "<?php echo 1 ?>", RESTRICTED).ejabberd(ACCEPTED),
        both("a stylesheet", "<?xml-stylesheet href='x'?>", RESTRICTED).ejabberd(ACCEPTED),
        both("a DTD in the request", "<!DOCTYPE x>", RESTRICTED),
        bytes("a DTD before the stanza", "<!DOCTYPE iq [<!ENTITY u 'cpe-user'>]><iq/>", RESTRICTED),
        both("an entity declaration", "<!ENTITY u 'cpe-user'>", RESTRICTED),
        bytes("an XML declaration", "<?xml version='1.0'?><iq/>", RESTRICTED),
    ];
    let not_well_formed = [
        request("an undefined entity", &format!("<username>&user;</username>{PASS}"), NOT_WELL_FORMED),
        request("an entity of HTML", &format!("<username>cpe&shy;user</username>{PASS}"), NOT_WELL_FORMED),
        both("a bare ampersand", "a & b", NOT_WELL_FORMED),
        both("a reference to NUL", "&#0;", NOT_WELL_FORMED),
        both("a reference to a control character", "&#x1;", NOT_WELL_FORMED),
        both("a reference to a surrogate", "&#xd800;", NOT_WELL_FORMED),
        both("a reference beyond Unicode", "&#x110000;", NOT_WELL_FORMED),
        both("a reference without end", "&#99", NOT_WELL_FORMED),
        raw("NUL", b"\0", NOT_WELL_FORMED),
        raw("a control character", b"\x01", NOT_WELL_FORMED),
        raw("a byte that is never UTF-8", b"\xff", NOT_WELL_FORMED),
        raw("a character cut short", b"\xc3(", NOT_WELL_FORMED),
        raw("a character that is too long", b"\xc0\xaf", NOT_WELL_FORMED),
        raw("half a surrogate pair", b"\xed\xa0\x80", NOT_WELL_FORMED),
        both("no character", "\u{ffff}", NOT_WELL_FORMED),
        both("the end of a CDATA section in text", "]]>", NOT_WELL_FORMED),
        both("CDATA misspelt", "<![cdata[x]]>", NOT_WELL_FORMED),
        both("an attribute twice", "<x a='1' a='2'/>", NOT_WELL_FORMED),
        both("an attribute twice by two prefixes", "<x xmlns:p='u' xmlns:q='u' p:a='1' q:a='2'/>", NOT_WELL_FORMED),
        bytes("an id twice", format!("<iq type='get' id='a' {HEAD}>{}</iq>", good()), NOT_WELL_FORMED),
        both("an undeclared prefix", "<p:x/>", NOT_WELL_FORMED),
        both("an attribute without a value", "<x a/>", NOT_WELL_FORMED),
        both("a value without quotes", "<x a=1/>", NOT_WELL_FORMED),
        both("a tag in a value", "<x a='<'/>", NOT_WELL_FORMED),
        both("another end", "<x></y>", NOT_WELL_FORMED),
        both("a name that is none", "<1/>", NOT_WELL_FORMED),
        bytes("an end too many", "</iq>", NOT_WELL_FORMED),
        // Both servers drop it.
        bytes("text between stanzas", format!("text<iq type='get' {HEAD}>{}</iq>", good()), NOT_WELL_FORMED)
            .both(ACCEPTED),
    ];
    let mut rows: Vec<Row> = restricted.into_iter().chain(not_well_formed).collect();
    for row in &mut rows {
        for comes in [&mut row.prosody, &mut row.ejabberd] {
            // They close the sender's stream, not the CPE's.
            if *comes == row.direct {
                *comes = SERVER_NOT_WELL_FORMED;
            }
        }
    }
    rows
}
