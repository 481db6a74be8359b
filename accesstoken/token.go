package accesstoken

import "time"

// A Token is what an access token says.
//
// Wire: a JSON Web Token. Its payload is one JSON object: aud (string, or array
// of strings), exp, iat, nbf (seconds), iss, jti, and a member for each claim
// type. A type with several claims is an array.
//
// Source: azure-signalr JwtPayload.cs, ClaimsUtility.cs.
type Token struct {
	// Audience is the URL that the token is for. Of several, Check gives the
	// one that it accepted.
	Audience string

	// Expires is required. IssuedAt and NotBefore are for the record: nobody
	// checks them, and the zero time leaves them out. All have whole seconds.
	Expires, IssuedAt, NotBefore time.Time

	// Audience and claims may be parts of one string: clone what outlives the rest.
	//
	// Claims are the other members, types named as in the token and in its
	// order, arrays expanded. Numbers, booleans and objects are their JSON
	// text; null is the empty string. aud, exp, iat, nbf, iss and jti are not
	// among them.
	Claims []Claim
}

// registered tells the members of a token that are not claims of its subject.
func registered(name string) bool {
	switch name {
	case "aud", "exp", "iat", "nbf", "iss", "jti":
		return true
	}
	return false
}

// Claim returns the value of the first claim of the type.
func (t *Token) Claim(name string) (value string, ok bool) {
	for _, c := range t.Claims {
		if c.Type == name {
			return c.Value, true
		}
	}
	return "", false
}

// UserID returns the user whose connection this is: asrs.s.uid, even when that
// is empty, or else the first name identifier, called nameid, sub or the long
// name. It returns "" for nobody.
//
// Source: azure-signalr Emulator HttpContextExtenstions.cs, where JwtBearer has
// made one name of the three.
func (t *Token) UserID() string {
	if id, ok := t.Claim(ClaimUserID); ok {
		return id
	}
	for _, c := range t.Claims {
		if LongName(c.Type) == ClaimNameIDLong {
			return c.Value
		}
	}
	return ""
}
