//! The registry of diagnostic codes: what each stands for and how grave it is. A code is never given a second meaning;
//! numbers that are missing here belong to checks that are not built, or to mistakes that cannot happen (decision 0036).
//!
//! P0 syntax · P1 names and types · P2 routing · P3 failover · P4 safety · P5 tests and drills · P9 what this release leaves out

use std::fmt;

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Likely a mistake; the policy loads.
    Warning,
    /// The policy does not load.
    Error,
}

impl Severity {
    /// As it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! codes {
    ($($code:ident $severity:ident $title:literal;)*) => {
        /// A diagnostic's stable name.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// As it is printed, such as `P2001`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)*
                }
            }

            /// What it stands for, in one line.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$code => $title,)*
                }
            }

            /// Its page, in Markdown: why it is said, what to do, an example that is wrong and one that is right. It is the file in
            /// docs/language/errors; a new code compiles once it has one.
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$code => include_str!(concat!(
                        "../../../docs/language/errors/",
                        stringify!($code),
                        ".md"
                    )),)*
                }
            }

            /// How grave it is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$code => Severity::$severity,)*
                }
            }
        }
    };
}

codes! {
    P0001 Error "a file does not start with `policy 1`";
    P0002 Error "the policy's version is not one that this binary reads";
    P0003 Error "a bracket is not closed, or closes nothing";
    P0004 Error "a string is not closed on its line";
    P0005 Error "`=` stands inside a condition";
    P0006 Error "two statements on one line need a comma";
    P0007 Error "brackets are nested too deep";
    P0008 Error "the text does not fit the grammar here";
    P0009 Error "a file is not UTF-8";
    P0010 Error "a file or an item is too large";
    P1001 Error "unknown field";
    P1002 Error "unknown name";
    P1003 Error "a value has the wrong type";
    P1004 Error "two things that cannot be compared";
    P1005 Error "`and` mixed with `or` without parentheses";
    P1006 Error "a name or field is set twice";
    P1007 Error "files import each other in a circle";
    P1008 Error "a name is both an enum value and a const";
    P1009 Error "a value is out of range";
    P1010 Warning "a declaration is never used";
    P1011 Warning "an `allow` silences nothing";
    P1012 Warning "text holds invisible direction controls";
    P1013 Error "a field does not belong to this kind of provider";
    P1014 Error "something compulsory is missing";
    P1015 Error "a statement is not written in this way";
    P1016 Error "a file cannot be read";
    P1017 Error "a fact cannot be read at this place";
    P1018 Error "`--set` names no parameter";
    P2001 Error "there is no `route default`";
    P2002 Error "a route stands after `route default`";
    P2003 Error "a condition, or an alternative of one, is always false";
    P2004 Error "a route can never match";
    P2005 Warning "an earlier route takes part of what a route names";
    P2006 Note "it could not be decided who gets some requests";
    P2007 Warning "a condition is always true";
    P2008 Error "all weights of a tier are zero";
    P2009 Warning "a target with weight 0 is never picked first";
    P2010 Error "a target is listed twice in a route";
    P2011 Error "tier numbers repeat or skip";
    P2012 Error "an alias leads to another alias";
    P2013 Warning "a provider or model is never reached from a route";
    P2014 Warning "a guard gets too few requests to judge";
    P2015 Error "a guard can never judge, or could withdraw what must stay";
    P3001 Error "a `fallback` has no `else`";
    P3002 Error "a fallback only leads back to where it came from";
    P3003 Warning "a fallback stays in the failure domain that it flees";
    P3004 Error "forbids leave some requests of a route no target";
    P3005 Error "a route requires what a target lacks";
    P3006 Warning "a target has no room for what a route sends it";
    P3007 Warning "a prompt that is too long goes where there is no more room";
    P3008 Warning "one request can open a breaker";
    P3009 Warning "streams are left before a breaker's latency rule sees them";
    P3011 Warning "a breaker of each core sees too few requests to judge";
    P3012 Warning "chance opens a breaker many times a day";
    P3013 Warning "one bad answer breaks a breaker's rate";
    P3014 Error "a request could need more attempts than its cap";
    P3015 Warning "the deadline ends before the last target is asked";
    P3016 Warning "later tiers bear less than half of what they take over";
    P3017 Warning "a breaker tries again before the health check has an opinion";
    P3019 Error "a hedge can never help";
    P3020 Warning "a `sticky` has no choice to make";
    P3021 Warning "a breaker counts rate limits as ill health";
    P3022 Warning "a shadow has no bound of its own";
    P3023 Warning "a fallback costs many times as much";
    P3024 Error "a route has more targets than the gateway can track";
    P3026 Error "a `classify` rule can never apply";
    P3027 Error "a route wants streams to be continued, and no target of it can";
    P3028 Warning "a pool never spills";
    P3029 Warning "a shadow tells nothing that its route does not";
    P4001 Error "a secret stands in the text";
    P4002 Error "a secret is used where it could leak";
    P4003 Error "a connection would not be encrypted";
    P4004 Warning "two providers are given the same credential";
    P4005 Error "a forbid names what no target has";
    P4006 Warning "the client decides about credentials or residency";
    P4007 Error "the gateway would be open to everyone on the network";
    P5001 Error "a test sets what can never be";
    P5002 Error "a drill can never pass";
    P5003 Error "a drill breaks live traffic and nothing ends it";
    P5004 Warning "a drill's fault is over before a breaker has tried again";
    P5005 Note "no drill injects a fault into a provider";
    P9001 Note "it has no effect yet";
    P9002 Error "it is not built yet, and ignoring it would be unsafe";
}

impl Code {
    /// The code that `word` names, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        let named = |code: &&Self| code.as_str().eq_ignore_ascii_case(word);
        Self::ALL.iter().find(named).copied()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
