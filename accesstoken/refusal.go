package accesstoken

// A Reason says in one word why a token was refused. The list is complete; the
// words name a counter's label.
type Reason string

const (
	ReasonTooLong      Reason = "too_long"      // more than MaxLength characters
	ReasonMalformed    Reason = "malformed"     // not a JSON Web Token
	ReasonUnsigned     Reason = "unsigned"      // no signature, or the algorithm "none"
	ReasonAlgorithm    Reason = "algorithm"     // signed in a way that is not accepted
	ReasonSignature    Reason = "signature"     // none of the keys signed it
	ReasonNoExpiry     Reason = "no_expiry"     // it would never expire
	ReasonExpired      Reason = "expired"       // it has expired
	ReasonAudiencePath Reason = "audience_path" // for another operation
	ReasonAudienceHub  Reason = "audience_hub"  // for another hub
	ReasonAudienceHost Reason = "audience_host" // for another service
)

// A CheckError is the refusal of a token. Its text may be shown to whoever sent
// the token: it holds no key and no part of the token, save the audiences of
// one with a good signature.
type CheckError struct {
	Reason Reason
	text   string
}

func (e *CheckError) Error() string { return e.text }

func refuse(reason Reason, fault string) error {
	return &CheckError{reason, "Access token refused: " + fault + "."}
}
