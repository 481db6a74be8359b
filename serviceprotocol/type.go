package serviceprotocol

import "fmt"

// A Type is the number that every message starts with.
//
// Source: azure-signalr ServiceProtocolConstants.cs; 39 and 40 from releases
// after 1.25. Types 41 (RefreshAuth) and above exist in 1.33 with layouts that
// are not public.
type Type int

const (
	TypeHandshakeRequest                Type = 1
	TypeHandshakeResponse               Type = 2
	TypePing                            Type = 3
	TypeOpenConnection                  Type = 4
	TypeCloseConnection                 Type = 5
	TypeConnectionData                  Type = 6
	TypeMultiConnectionData             Type = 7
	TypeUserData                        Type = 8
	TypeMultiUserData                   Type = 9
	TypeBroadcastData                   Type = 10
	TypeJoinGroup                       Type = 11
	TypeLeaveGroup                      Type = 12
	TypeGroupBroadcastData              Type = 13
	TypeMultiGroupBroadcastData         Type = 14
	TypeServiceError                    Type = 15
	TypeUserJoinGroup                   Type = 16
	TypeUserLeaveGroup                  Type = 17
	TypeJoinGroupWithAck                Type = 18
	TypeLeaveGroupWithAck               Type = 19
	TypeAck                             Type = 20
	TypeCheckUserInGroupWithAck         Type = 21
	TypeServiceEvent                    Type = 22
	TypeCheckGroupExistenceWithAck      Type = 23
	TypeCheckConnectionExistenceWithAck Type = 24
	TypeCheckUserExistenceWithAck       Type = 25
	TypeUserJoinGroupWithAck            Type = 26
	TypeUserLeaveGroupWithAck           Type = 27
	TypeAccessKeyRequest                Type = 28
	TypeAccessKeyResponse               Type = 29
	TypeCloseConnectionWithAck          Type = 30
	TypeCloseConnectionsWithAck         Type = 31
	TypeCloseUserConnectionsWithAck     Type = 32
	TypeCloseGroupConnectionsWithAck    Type = 33
	TypeClientInvocation                Type = 34
	TypeClientCompletion                Type = 35
	TypeErrorCompletion                 Type = 36
	TypeServiceMapping                  Type = 37
	TypeConnectionReconnect             Type = 38
	TypeConnectionFlowControl           Type = 39
	TypeGroupMemberQuery                Type = 40
)

var typeNames = [...]string{
	TypeHandshakeRequest:                "HandshakeRequest",
	TypeHandshakeResponse:               "HandshakeResponse",
	TypePing:                            "Ping",
	TypeOpenConnection:                  "OpenConnection",
	TypeCloseConnection:                 "CloseConnection",
	TypeConnectionData:                  "ConnectionData",
	TypeMultiConnectionData:             "MultiConnectionData",
	TypeUserData:                        "UserData",
	TypeMultiUserData:                   "MultiUserData",
	TypeBroadcastData:                   "BroadcastData",
	TypeJoinGroup:                       "JoinGroup",
	TypeLeaveGroup:                      "LeaveGroup",
	TypeGroupBroadcastData:              "GroupBroadcastData",
	TypeMultiGroupBroadcastData:         "MultiGroupBroadcastData",
	TypeServiceError:                    "ServiceError",
	TypeUserJoinGroup:                   "UserJoinGroup",
	TypeUserLeaveGroup:                  "UserLeaveGroup",
	TypeJoinGroupWithAck:                "JoinGroupWithAck",
	TypeLeaveGroupWithAck:               "LeaveGroupWithAck",
	TypeAck:                             "Ack",
	TypeCheckUserInGroupWithAck:         "CheckUserInGroupWithAck",
	TypeServiceEvent:                    "ServiceEvent",
	TypeCheckGroupExistenceWithAck:      "CheckGroupExistenceWithAck",
	TypeCheckConnectionExistenceWithAck: "CheckConnectionExistenceWithAck",
	TypeCheckUserExistenceWithAck:       "CheckUserExistenceWithAck",
	TypeUserJoinGroupWithAck:            "UserJoinGroupWithAck",
	TypeUserLeaveGroupWithAck:           "UserLeaveGroupWithAck",
	TypeAccessKeyRequest:                "AccessKeyRequest",
	TypeAccessKeyResponse:               "AccessKeyResponse",
	TypeCloseConnectionWithAck:          "CloseConnectionWithAck",
	TypeCloseConnectionsWithAck:         "CloseConnectionsWithAck",
	TypeCloseUserConnectionsWithAck:     "CloseUserConnectionsWithAck",
	TypeCloseGroupConnectionsWithAck:    "CloseGroupConnectionsWithAck",
	TypeClientInvocation:                "ClientInvocation",
	TypeClientCompletion:                "ClientCompletion",
	TypeErrorCompletion:                 "ErrorCompletion",
	TypeServiceMapping:                  "ServiceMapping",
	TypeConnectionReconnect:             "ConnectionReconnect",
	TypeConnectionFlowControl:           "ConnectionFlowControl",
	TypeGroupMemberQuery:                "GroupMemberQuery",
}

// String returns the type's name on the wire's own terms, such as "Ping", or
// "Type(41)" for one not known here.
func (t Type) String() string {
	if t < 1 || int(t) >= len(typeNames) {
		return fmt.Sprintf("Type(%d)", int(t))
	}
	return typeNames[t]
}

// newMessage returns an empty message of type t.
func newMessage(t Type) Message {
	switch t {
	case TypeHandshakeRequest:
		return new(HandshakeRequest)
	case TypeHandshakeResponse:
		return new(HandshakeResponse)
	case TypePing:
		return new(Ping)
	case TypeOpenConnection:
		return new(OpenConnection)
	case TypeCloseConnection:
		return new(CloseConnection)
	case TypeConnectionData:
		return new(ConnectionData)
	case TypeMultiConnectionData:
		return new(MultiConnectionData)
	case TypeUserData:
		return new(UserData)
	case TypeMultiUserData:
		return new(MultiUserData)
	case TypeBroadcastData:
		return new(BroadcastData)
	case TypeJoinGroup:
		return new(JoinGroup)
	case TypeLeaveGroup:
		return new(LeaveGroup)
	case TypeGroupBroadcastData:
		return new(GroupBroadcastData)
	case TypeMultiGroupBroadcastData:
		return new(MultiGroupBroadcastData)
	case TypeServiceError:
		return new(ServiceError)
	case TypeUserJoinGroup:
		return new(UserJoinGroup)
	case TypeUserLeaveGroup:
		return new(UserLeaveGroup)
	case TypeJoinGroupWithAck:
		return new(JoinGroupWithAck)
	case TypeLeaveGroupWithAck:
		return new(LeaveGroupWithAck)
	case TypeAck:
		return new(Ack)
	case TypeCheckUserInGroupWithAck:
		return new(CheckUserInGroupWithAck)
	case TypeServiceEvent:
		return new(ServiceEvent)
	case TypeCheckGroupExistenceWithAck:
		return new(CheckGroupExistenceWithAck)
	case TypeCheckConnectionExistenceWithAck:
		return new(CheckConnectionExistenceWithAck)
	case TypeCheckUserExistenceWithAck:
		return new(CheckUserExistenceWithAck)
	case TypeUserJoinGroupWithAck:
		return new(UserJoinGroupWithAck)
	case TypeUserLeaveGroupWithAck:
		return new(UserLeaveGroupWithAck)
	case TypeAccessKeyRequest:
		return new(AccessKeyRequest)
	case TypeAccessKeyResponse:
		return new(AccessKeyResponse)
	case TypeCloseConnectionWithAck:
		return new(CloseConnectionWithAck)
	case TypeCloseConnectionsWithAck:
		return new(CloseConnectionsWithAck)
	case TypeCloseUserConnectionsWithAck:
		return new(CloseUserConnectionsWithAck)
	case TypeCloseGroupConnectionsWithAck:
		return new(CloseGroupConnectionsWithAck)
	case TypeClientInvocation:
		return new(ClientInvocation)
	case TypeClientCompletion:
		return new(ClientCompletion)
	case TypeErrorCompletion:
		return new(ErrorCompletion)
	case TypeServiceMapping:
		return new(ServiceMapping)
	case TypeConnectionReconnect:
		return new(ConnectionReconnect)
	case TypeConnectionFlowControl:
		return new(ConnectionFlowControl)
	case TypeGroupMemberQuery:
		return new(GroupMemberQuery)
	}
	return new(Unknown)
}
