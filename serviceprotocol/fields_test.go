package serviceprotocol_test

import (
	"testing"

	sp "switchboard/serviceprotocol"
)

// message makes the message that the fields of a vector stand for.
func (f *fields) message(tb testing.TB) sp.Message {
	tb.Helper()
	for _, family := range []func(*fields) sp.Message{
		(*fields).connectionMessage, (*fields).dataMessage, (*fields).groupMessage,
		(*fields).checkMessage, (*fields).closeMessage, (*fields).invocationMessage,
		(*fields).serviceMessage,
	} {
		if m := family(f); m != nil {
			return m
		}
	}
	tb.Fatalf("no message of type %v", f.TypeID)
	return nil
}

func (f *fields) connectionMessage() sp.Message {
	switch f.TypeID {
	case sp.TypeHandshakeRequest:
		return &sp.HandshakeRequest{Version: f.Version, ConnectionType: sp.ConnectionType(f.ConnectionType), Target: f.Target,
			MigrationLevel: sp.MigrationLevel(f.MigrationLevel), AllowStatefulReconnects: f.AllowStatefulReconnects}
	case sp.TypeHandshakeResponse:
		return &sp.HandshakeResponse{Error: f.ErrorMessage, ConnectionID: f.ConnectionID}
	case sp.TypePing:
		return &sp.Ping{Messages: f.Messages}
	case sp.TypeOpenConnection:
		return &sp.OpenConnection{ConnectionID: f.ConnectionID, Claims: f.Claims, Headers: sp.Headers(f.Headers),
			QueryString: f.QueryString, Protocol: f.Ext.Protocol, TracingID: f.Ext.TracingID}
	case sp.TypeCloseConnection:
		return &sp.CloseConnection{ConnectionID: f.ConnectionID, Error: f.ErrorMessage, Headers: sp.Headers(f.Headers), TracingID: f.Ext.TracingID}
	case sp.TypeConnectionReconnect:
		return &sp.ConnectionReconnect{ConnectionID: f.ConnectionID}
	case sp.TypeConnectionFlowControl:
		return &sp.ConnectionFlowControl{ConnectionID: f.ConnectionID, ConnectionType: sp.FlowConnectionType(f.ConnectionType),
			Operation: sp.FlowOperation(f.Operation)}
	}
	return nil
}

func (f *fields) dataMessage() sp.Message {
	payloads := sp.Payloads(f.Payloads)
	switch f.TypeID {
	case sp.TypeConnectionData:
		return &sp.ConnectionData{ConnectionID: f.ConnectionID, Payload: f.Payload.bytes(), DataType: f.Ext.DataMessageType,
			Partial: f.Ext.IsPartial, TracingID: f.Ext.TracingID}
	case sp.TypeMultiConnectionData:
		return &sp.MultiConnectionData{ConnectionIDs: f.ConnectionList, Payloads: payloads, Filter: f.Ext.Filter, TracingID: f.Ext.TracingID}
	case sp.TypeUserData:
		return &sp.UserData{UserID: f.UserID, Payloads: payloads, Filter: f.Ext.Filter, TracingID: f.Ext.TracingID}
	case sp.TypeMultiUserData:
		return &sp.MultiUserData{UserIDs: f.UserList, Payloads: payloads, Filter: f.Ext.Filter, TracingID: f.Ext.TracingID}
	case sp.TypeBroadcastData:
		return &sp.BroadcastData{ExcludedConnectionIDs: f.ExcludedList, Payloads: payloads, Filter: f.Ext.Filter, TracingID: f.Ext.TracingID}
	case sp.TypeGroupBroadcastData:
		return &sp.GroupBroadcastData{Group: f.GroupName, ExcludedConnectionIDs: f.ExcludedList, Payloads: payloads,
			ExcludedUserIDs: f.ExcludedUserList, CallerUserID: f.CallerUserID, Filter: f.Ext.Filter, TracingID: f.Ext.TracingID}
	case sp.TypeMultiGroupBroadcastData:
		return &sp.MultiGroupBroadcastData{Groups: f.GroupList, Payloads: payloads, Filter: f.Ext.Filter, TracingID: f.Ext.TracingID}
	}
	return nil
}

func (f *fields) groupMessage() sp.Message {
	switch f.TypeID {
	case sp.TypeJoinGroup:
		return &sp.JoinGroup{ConnectionID: f.ConnectionID, Group: f.GroupName, TracingID: f.Ext.TracingID}
	case sp.TypeLeaveGroup:
		return &sp.LeaveGroup{ConnectionID: f.ConnectionID, Group: f.GroupName, TracingID: f.Ext.TracingID}
	case sp.TypeJoinGroupWithAck:
		return &sp.JoinGroupWithAck{ConnectionID: f.ConnectionID, Group: f.GroupName, AckID: f.AckID, TracingID: f.Ext.TracingID}
	case sp.TypeLeaveGroupWithAck:
		return &sp.LeaveGroupWithAck{ConnectionID: f.ConnectionID, Group: f.GroupName, AckID: f.AckID, TracingID: f.Ext.TracingID}
	case sp.TypeUserJoinGroup:
		return &sp.UserJoinGroup{UserID: f.UserID, Group: f.GroupName, TTL: f.Ext.TTL, TracingID: f.Ext.TracingID}
	case sp.TypeUserLeaveGroup:
		return &sp.UserLeaveGroup{UserID: f.UserID, Group: f.GroupName, TracingID: f.Ext.TracingID}
	case sp.TypeUserJoinGroupWithAck:
		return &sp.UserJoinGroupWithAck{UserID: f.UserID, Group: f.GroupName, TTL: f.Ext.TTL, AckID: f.AckID, TracingID: f.Ext.TracingID}
	case sp.TypeUserLeaveGroupWithAck:
		return &sp.UserLeaveGroupWithAck{UserID: f.UserID, Group: f.GroupName, AckID: f.AckID, TracingID: f.Ext.TracingID}
	}
	return nil
}

func (f *fields) checkMessage() sp.Message {
	switch f.TypeID {
	case sp.TypeCheckUserInGroupWithAck:
		return &sp.CheckUserInGroupWithAck{UserID: f.UserID, Group: f.GroupName, AckID: f.AckID, TracingID: f.Ext.TracingID}
	case sp.TypeCheckGroupExistenceWithAck:
		return &sp.CheckGroupExistenceWithAck{Group: f.GroupName, AckID: f.AckID, TracingID: f.Ext.TracingID}
	case sp.TypeCheckConnectionExistenceWithAck:
		return &sp.CheckConnectionExistenceWithAck{ConnectionID: f.ConnectionID, AckID: f.AckID, TracingID: f.Ext.TracingID}
	case sp.TypeCheckUserExistenceWithAck:
		return &sp.CheckUserExistenceWithAck{UserID: f.UserID, AckID: f.AckID, TracingID: f.Ext.TracingID}
	case sp.TypeGroupMemberQuery:
		return &sp.GroupMemberQuery{Group: f.GroupName, AckID: f.AckID, Max: f.Max, ContinuationToken: f.ContinuationToken, TracingID: f.Ext.TracingID}
	case sp.TypeAck:
		return &sp.Ack{AckID: f.AckID, Status: sp.AckStatus(f.Status), Message: f.Message, Payload: f.Payload.bytes()}
	}
	return nil
}

func (f *fields) closeMessage() sp.Message {
	switch f.TypeID {
	case sp.TypeCloseConnectionWithAck:
		return &sp.CloseConnectionWithAck{ConnectionID: f.ConnectionID, Reason: f.Reason, AckID: f.AckID, TracingID: f.Ext.TracingID}
	case sp.TypeCloseConnectionsWithAck:
		return &sp.CloseConnectionsWithAck{Reason: f.Reason, AckID: f.AckID, ExcludedConnectionIDs: f.ExcludedList, TracingID: f.Ext.TracingID}
	case sp.TypeCloseUserConnectionsWithAck:
		return &sp.CloseUserConnectionsWithAck{UserID: f.UserID, Reason: f.Reason, AckID: f.AckID,
			ExcludedConnectionIDs: f.ExcludedList, TracingID: f.Ext.TracingID}
	case sp.TypeCloseGroupConnectionsWithAck:
		return &sp.CloseGroupConnectionsWithAck{Group: f.GroupName, Reason: f.Reason, AckID: f.AckID,
			ExcludedConnectionIDs: f.ExcludedList, TracingID: f.Ext.TracingID}
	}
	return nil
}

func (f *fields) invocationMessage() sp.Message {
	switch f.TypeID {
	case sp.TypeClientInvocation:
		return &sp.ClientInvocation{InvocationID: f.InvocationID, ConnectionID: f.ConnectionID, CallerServerID: f.CallerServerID,
			Payloads: sp.Payloads(f.Payloads), TracingID: f.Ext.TracingID}
	case sp.TypeClientCompletion:
		return &sp.ClientCompletion{InvocationID: f.InvocationID, ConnectionID: f.ConnectionID, CallerServerID: f.CallerServerID,
			Protocol: f.Protocol, Payload: f.Payload.bytes(), TracingID: f.Ext.TracingID}
	case sp.TypeErrorCompletion:
		return &sp.ErrorCompletion{InvocationID: f.InvocationID, ConnectionID: f.ConnectionID, CallerServerID: f.CallerServerID,
			Error: f.Error, TracingID: f.Ext.TracingID}
	case sp.TypeServiceMapping:
		return &sp.ServiceMapping{InvocationID: f.InvocationID, ConnectionID: f.ConnectionID, InstanceID: f.InstanceID}
	}
	return nil
}

func (f *fields) serviceMessage() sp.Message {
	switch f.TypeID {
	case sp.TypeServiceError:
		return &sp.ServiceError{Error: f.ErrorMessage}
	case sp.TypeServiceEvent:
		return &sp.ServiceEvent{ObjectType: sp.ServiceEventObject(f.ObjectType), ID: f.ID, Kind: sp.ServiceEventKind(f.Kind), Message: f.Message}
	case sp.TypeAccessKeyRequest:
		return &sp.AccessKeyRequest{Token: f.Token, KeyID: f.Kid}
	case sp.TypeAccessKeyResponse:
		return &sp.AccessKeyResponse{KeyID: f.Kid, AccessKey: f.AccessKey, ErrorType: f.ErrorType, Error: f.ErrorMessage}
	}
	return nil
}
