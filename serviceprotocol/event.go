package serviceprotocol

// A ServiceEventObject says what a ServiceEvent is about.
type ServiceEventObject int

const (
	EventServiceInstance  ServiceEventObject = 0
	EventConnection       ServiceEventObject = 1 // a client connection
	EventUser             ServiceEventObject = 2
	EventGroup            ServiceEventObject = 3
	EventServerConnection ServiceEventObject = 4
)

// A ServiceEventKind says what has happened to the object of a ServiceEvent.
type ServiceEventKind int

const (
	EventReloading  ServiceEventKind = 0
	EventInvalid    ServiceEventKind = 1
	EventNotExisted ServiceEventKind = 2
	EventBufferFull ServiceEventKind = 3 // the app server sends faster than the service takes
)

// A ServiceError tells an app server that its server connection has failed. The
// .NET SDK sends nothing more on it; the service closes it soon after.
//
// Wire: [15, errorMessage str]. There are no extensions.
//
// Source: azure-signalr ServiceProtocol.cs, WriteServiceErrorMessage.
type ServiceError struct {
	Error string
}

func (m *ServiceError) Type() Type { return TypeServiceError }

func (m *ServiceError) Append(b []byte) []byte {
	b = append(b, fixArr|2, byte(TypeServiceError))
	return appendStr(b, m.Error)
}

func (m *ServiceError) parse(r reader) *ParseError {
	*m = ServiceError{}
	r.require(2)
	m.Error = r.str("errorMessage")
	return r.err
}

// A ServiceEvent warns an app server of something it may want to log.
//
// Wire: [22, objectType int, id str, kind int, message str, extensions map].
//
// Source: azure-signalr ServiceProtocol.cs, WriteServiceEventMessage; the numbers
// from enums.cs.
type ServiceEvent struct {
	ObjectType ServiceEventObject
	ID         string
	Kind       ServiceEventKind
	Message    string
}

func (m *ServiceEvent) Type() Type { return TypeServiceEvent }

func (m *ServiceEvent) Append(b []byte) []byte {
	b = append(b, fixArr|6, byte(TypeServiceEvent))
	b = appendInt(b, int(m.ObjectType))
	b = appendStr(b, m.ID)
	b = appendInt(b, int(m.Kind))
	b = appendStr(b, m.Message)
	return appendNoExtension(b)
}

func (m *ServiceEvent) parse(r reader) *ParseError {
	*m = ServiceEvent{}
	r.require(5)
	m.ObjectType = ServiceEventObject(r.int("objectType"))
	m.ID = r.str("id")
	m.Kind = ServiceEventKind(r.int("kind"))
	m.Message = r.str("message")
	r.skipExtension(6)
	return r.err
}
