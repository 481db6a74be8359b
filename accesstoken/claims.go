package accesstoken

// Claims that steer the service. They are in the token of a client, and the
// app-server SDK takes everything that begins with SystemPrefix away before the
// app sees the user. All values are strings; booleans are "true" or "True".
//
// Source: azure-signalr Constants.cs (names), ClaimsUtility.cs (when each is
// set, and the order: that of the constants, application and version first).
const (
	SystemPrefix = "asrs.s."

	ClaimApplication    = "asrs.s.apn"     // classic: application name
	ClaimVersion        = "asrs.s.vn"      // classic: version of the SDK, a.b.c.d
	ClaimAspNetHubs     = "asrs.s.hubs"    // classic, our own: hubs that the client may listen to, with blanks between them; all without it
	ClaimUserID         = "asrs.s.uid"     // user id; may be the empty string
	ClaimServerName     = "asrs.s.sn"      // id of the app server that the client sticks to
	ClaimSticky         = "asrs.s.ssticky" // Preferred or Required
	ClaimDiagnostic     = "asrs.s.dc"      // true: messages of this client are traced
	ClaimHandshakeWait  = "asrs.s.cht"     // seconds to wait for the client's handshake, 1 to 30; default 15
	ClaimAuthentication = "asrs.s.aut"     // authentication type of the identity; default Bearer
	ClaimEndpointCount  = "asrs.s.secn"    // service endpoints of the app, when more than one
	ClaimDetailedErrors = "asrs.s.derror"  // True: the client is told why it was closed
	ClaimNameType       = "asrs.s.nt"      // claim type of the user's name, when not the default
	ClaimRoleType       = "asrs.s.rt"      // claim type of the user's roles, when not the default
	ClaimPollWait       = "asrs.s.ttl"     // seconds between long polls, 1 to 300; default 5
	ClaimTransports     = "asrs.s.htt"     // bit mask of the transports to offer
	ClaimCloseOnExpiry  = "asrs.s.coae"    // true: close the connection at ClaimExpiry
	ClaimExpiry         = "asrs.s.aeo"     // unix seconds at which the user's authentication ends
	ClaimID             = "asrs.s.id"      // reserved; no SDK sets it
)

// Values of ClaimSticky: whether another app server will do when that of
// ClaimServerName is not connected.
const (
	StickyPreferred = "Preferred"
	StickyRequired  = "Required"
)

// Names of the user's identity in a token: short in both, long in
// OpenConnection. In the token of an app server ClaimNameID is the server id.
const (
	ClaimNameID     = "nameid"
	ClaimNameIDLong = soap2005 + "nameidentifier"
)

// UserPrefix stands before a claim of the user whose type would be taken for
// one of the token's own ("asrs.u.aud"). The receiving app server takes it away.
const UserPrefix = "asrs.u."
