package pairing

// A Reason tells why a client connection ended. Reasons are the values below
// and no others; operators find them as the attribute "reason" in the log and
// as a label in the metrics.
//
// Category is the hosted service's name for it (metric dimension
// ConnectionCloseCategory). By is who ended the connection. Text is what the client is told at least; an empty
// one is an end without an error. AllowReconnect is passed on to clients that
// reconnect automatically.
type Reason struct {
	Code           string
	Category       string
	By             Party
	Text           string
	AllowReconnect bool
}

// A Party is who ended a connection. The log has it as the attribute "by".
type Party string

const (
	ByClient    Party = "client"
	ByNetwork   Party = "network" // whatever is between client and service
	ByAppServer Party = "app server"
	ByService   Party = "service"
)

func (r *Reason) String() string { return r.Code }

const closedWithError = "Connection closed with an error."

// The reasons for which a client connection ends.
var (
	// ClosedByClient: the client closed its transport in good order.
	ClosedByClient = &Reason{"closed_by_client", "Normal", ByClient, "", false}
	// TransportLost: the client's transport broke off.
	TransportLost = &Reason{"transport_lost", "Normal", ByNetwork, "", true}
	// ClosedByAppServer: the app server closed the connection without an error.
	ClosedByAppServer = &Reason{"closed_by_app_server", "ClosedByAppServer", ByAppServer, "", false}
	// AppServerError: the app server closed the connection with an error.
	AppServerError = &Reason{"app_server_error", "ClosedByAppServer", ByAppServer, closedWithError, false}
	// ServerConnectionLost: the server connection of the client ended.
	ServerConnectionLost = &Reason{"server_connection_lost", "ServerConnectionClosed", ByAppServer, "Server connection dropped.", true}
	// NoServer: no server connection is there for the hub.
	NoServer = &Reason{"no_server", "NoAvailableServerConnection", ByService, "No server available.", true}
	// PingTimeout: the client of a serverless hub sent nothing for too long.
	PingTimeout = &Reason{"ping_timeout", "PingTimeout", ByService, "Connection ping timeout.", true}
	// AuthenticationExpired: the user's authentication has ended, and the app wants connections to end with it.
	AuthenticationExpired = &Reason{"authentication_expired", "Normal", ByService, "", true}
	// HandshakeTimeout: the client sent no handshake request in time.
	HandshakeTimeout = &Reason{"handshake_timeout", "HandshakeError", ByService, "Handshake was canceled.", true}
	// HandshakeError: the client's handshake request cannot be read.
	HandshakeError = &Reason{"handshake_error", "HandshakeError", ByService, "An unexpected error occurred during connection handshake.", false}
	// BinaryOverText: the client's hub protocol is binary, its transport Server-Sent Events.
	BinaryOverText = &Reason{"binary_over_text", "HandshakeError", ByService, "The transport does not support binary.", false}
	// AppServerSilent: the app server did not answer the client's handshake in time.
	AppServerSilent = &Reason{"app_server_silent", "ServiceTransientError", ByService, "The application server did not answer the handshake.", true}
	// MessageTooLarge: the client sent a hub message over the configured limit.
	MessageTooLarge = &Reason{"message_too_large", "BadRequest", ByService, closedWithError, false}
	// BadMessage: the client sent bytes that its hub protocol does not allow.
	BadMessage = &Reason{"bad_message", "BadRequest", ByService, closedWithError, false}
	// SlowClient: too many bytes wait for a client that does not read them.
	SlowClient = &Reason{"slow_client", "SlowClient", ByService, "Too many messages are waiting for this client.", true}
	// BadAppServerData: the app server sent bytes that the client's hub protocol does not allow.
	BadAppServerData = &Reason{"bad_app_server_data", "ServiceTransientError", ByService, "Internal server error.", true}
	// ServiceShutdown: the service stops.
	ServiceShutdown = &Reason{"service_shutdown", "ServiceReload", ByService, "Service reloading, please reconnect.", true}
)

// Reasons lists every Reason.
var Reasons = []*Reason{
	ClosedByClient, TransportLost, ClosedByAppServer, AppServerError, ServerConnectionLost, NoServer,
	PingTimeout, AuthenticationExpired, HandshakeTimeout, HandshakeError, BinaryOverText, AppServerSilent, MessageTooLarge, BadMessage, SlowClient, BadAppServerData, ServiceShutdown,
}
