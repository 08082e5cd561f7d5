//! AWS Signature Version 4: how Bedrock knows a caller that has no API key. The secret never leaves: what is sent is a proof
//! made with it of this request, at this time.
//!
//! Source: docs.aws.amazon.com, *Create a signed AWS API request* (IAM user guide), read in November 2026. The service is
//! `bedrock`; of fields only the host, the time and the session's token are signed, as proxies may touch the others.

use core::fmt::Write as _;

use ring::{digest, hmac};

use crate::base::Secret;
use crate::wire::json::Tree;
use crate::wire::percent;

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// `bedrock-runtime.us-east-1.amazonaws.com`, with the port if it is not the scheme's own.
    pub host: &'a str,
    /// As in the request line, percent-encoded.
    pub path: &'a str,
    /// The whole body.
    pub body: &'a [u8],
    /// Now, in Unix seconds. Amazon allows a difference of five minutes.
    pub unix: u64,
}

/// Appends the fields that prove that whoever has `credentials` asks this. They are a text of two or three parts with colons
/// between them, `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`, or the JSON that `aws configure export-credentials`
/// writes. Others prove nothing: Amazon answers them with a 403.
pub fn sign(signed: &Signed<'_>, credentials: &Secret, out: &mut Vec<u8>) {
    let mut text = credentials.expose().to_vec();
    let parts = Credentials::read(&mut text);
    write_fields(signed, &parts, out);
    text.fill(0);
}

struct Credentials {
    id: String,
    key: Secret,
    token: String,
}

impl Credentials {
    fn read(text: &mut [u8]) -> Self {
        if text.trim_ascii_start().starts_with(b"{") {
            let tree = Tree::parse(text).ok();
            let member = |key| tree.as_ref().and_then(|tree| tree.root().text(key));
            return Self {
                id: member("AccessKeyId").unwrap_or_default().to_owned(),
                key: key_of(member("SecretAccessKey").unwrap_or_default()),
                token: member("SessionToken").unwrap_or_default().to_owned(),
            };
        }
        let text = std::str::from_utf8(text).unwrap_or_default().trim();
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().unwrap_or_default();
        Self {
            id: part().to_owned(),
            key: key_of(part()),
            token: part().to_owned(),
        }
    }
}

/// The first key of the chain.
fn key_of(secret: &str) -> Secret {
    Secret::new([b"AWS4", secret.as_bytes()].concat())
}

fn write_fields(signed: &Signed<'_>, credentials: &Credentials, out: &mut Vec<u8>) {
    let time = Timestamp::of(signed.unix);
    let region = region_of(signed.host);
    let token = &credentials.token;
    let mut canonical = String::from("POST\n");
    // Encoded a second time, segment by segment.
    let mut path = Vec::new();
    percent::encode(signed.path, b"/", &mut path);
    canonical.push_str(&String::from_utf8_lossy(&path));
    let _ = write!(
        canonical,
        "\n\nhost:{}\nx-amz-date:{}\n",
        signed.host,
        time.full()
    );
    let names = if token.is_empty() {
        "host;x-amz-date"
    } else {
        let _ = writeln!(canonical, "x-amz-security-token:{token}");
        "host;x-amz-date;x-amz-security-token"
    };
    let _ = write!(canonical, "\n{names}\n{}", hash(signed.body));
    let scope = format!("{}/{region}/{SERVICE}/aws4_request", time.date());
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        time.full(),
        hash(canonical.as_bytes())
    );
    let mut key = mac(credentials.key.expose(), time.date().as_bytes());
    for part in [region, SERVICE, "aws4_request"] {
        key = mac(key.as_ref(), part.as_bytes());
    }
    let signature = hex(mac(key.as_ref(), to_sign.as_bytes()).as_ref());
    let mut fields = format!("x-amz-date: {}\r\n", time.full());
    if !token.is_empty() {
        let _ = write!(fields, "x-amz-security-token: {token}\r\n");
    }
    let _ = write!(
        fields,
        "authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}\r\n",
        credentials.id
    );
    out.extend_from_slice(fields.as_bytes());
}

/// The region that a host of Bedrock names, also one of a private endpoint: the label behind `bedrock-runtime`. Other hosts
/// stand for `us-east-1`.
fn region_of(host: &str) -> &str {
    let behind = host
        .split_once("bedrock-runtime.")
        .or_else(|| host.split_once("bedrock-runtime-fips."));
    behind
        .and_then(|(_, behind)| behind.split('.').next())
        .unwrap_or("us-east-1")
}

fn mac(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `20150830T123600Z`
struct Timestamp(String);

impl Timestamp {
    fn of(unix: u64) -> Self {
        let (days, seconds) = (unix / 86_400, unix % 86_400);
        let (year, month, day) = civil(days);
        Self(format!(
            "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        ))
    }

    fn full(&self) -> &str {
        &self.0
    }

    fn date(&self) -> &str {
        self.0.split('T').next().unwrap_or_default()
    }
}

/// Year, month and day of a number of days since 1970 (Hinnant, *chrono-compatible low-level date algorithms*).
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let part = (5 * of_year + 2) / 153;
    let day = of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// The service's name in signatures.
const SERVICE: &str = "bedrock";

#[cfg(test)]
mod tests {
    use super::{Signed, Timestamp, civil, region_of, sign};
    use crate::base::Secret;

    /// What botocore 1.44 makes of the same request (`SigV4Auth`, made-up credentials of Amazon's own documents).
    #[test]
    fn signatures_are_those_of_botocore() {
        for (credentials, host, path, body, unix, signature) in [
            (
                "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                "bedrock-runtime.us-east-1.amazonaws.com",
                "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse",
                r#"{"messages":[]}"#,
                1_440_938_160,
                "240e9a59e99dea80d9e8bc3d4e4983c1dd407e1c351353590025e2bf2e5c6420",
            ),
            (
                "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY:IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVz",
                "bedrock-runtime.eu-central-1.amazonaws.com",
                "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0/converse-stream",
                r#"{"messages":[{"role":"user","content":[{"text":"é"}]}]}"#,
                1_796_000_000,
                "8b0a076267342821a6cef22ea230d98618633591a99523cdc1e9f308eb32e818",
            ),
        ] {
            let signed = Signed {
                host,
                path,
                body: body.as_bytes(),
                unix,
            };
            let mut fields = Vec::new();
            sign(&signed, &Secret::new(credentials.into()), &mut fields);
            let fields = String::from_utf8(fields).unwrap();
            assert!(
                fields.ends_with(&format!("Signature={signature}\r\n")),
                "{fields}"
            );
            // The same in the JSON of Amazon's tools.
            let mut parts = credentials.splitn(3, ':');
            let mut part = || parts.next().unwrap_or_default();
            let json = format!(
                r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}","SessionToken":"{}"}}"#,
                part(),
                part(),
                part()
            );
            let mut again = Vec::new();
            sign(&signed, &Secret::new(json.into_bytes()), &mut again);
            assert_eq!(String::from_utf8(again).unwrap(), fields);
        }
    }

    #[test]
    fn times_and_dates() {
        assert_eq!(Timestamp::of(1_440_938_160).full(), "20150830T123600Z");
        for (days, date) in [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (20_787, (2026, 11, 30)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(days), date);
        }
    }

    #[test]
    fn regions_of_hosts() {
        for (host, region) in [
            ("bedrock-runtime.eu-central-1.amazonaws.com", "eu-central-1"),
            (
                "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
                "us-gov-west-1",
            ),
            (
                "vpce-0a.bedrock-runtime.ap-south-1.vpce.amazonaws.com",
                "ap-south-1",
            ),
            ("127.0.0.1:8080", "us-east-1"),
        ] {
            assert_eq!(region_of(host), region);
        }
    }
}
