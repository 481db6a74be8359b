package router

import (
	"context"

	"switchboard/internal/pairing"
	"switchboard/serviceprotocol"
)

// FromServer carries out one message of an app server that came over the
// server connection s. It is called for one message of s after the other, so
// that a join is effective before the next message; m is valid until it
// returns. An error means that an answer could not be sent any more.
//
// Handshakes and pings are the server connection's own business and do not
// come here. Unknown types are counted and ignored.
func (h *Hub) FromServer(ctx context.Context, s pairing.Server, m serviceprotocol.Message) error {
	h.messages.Add(1)
	switch m := m.(type) {
	case *serviceprotocol.ConnectionData:
		if p := h.find(m.ConnectionID); p != nil {
			if p.Server == s {
				p.Client.Deliver(m.Payload)
			} else {
				p.Client.Late(m.Payload)
			}
			h.delivered.Add(1)
		}
	case *serviceprotocol.CloseConnection:
		h.closeByServer(s, m)
	case *serviceprotocol.BroadcastData:
		h.broadcast(m)
	case *serviceprotocol.MultiConnectionData:
		h.toConnections(m)
	case *serviceprotocol.UserData:
		h.toUsers(m.Payloads, m.UserID)
	case *serviceprotocol.MultiUserData:
		h.toUsers(m.Payloads, m.UserIDs...)
	case *serviceprotocol.GroupBroadcastData:
		h.toGroup(m)
	case *serviceprotocol.MultiGroupBroadcastData:
		h.toGroups(m)
	case *serviceprotocol.ClientInvocation:
		h.invoke(s, m)
	case *serviceprotocol.ClientCompletion:
		h.complete(m)
	case *serviceprotocol.ErrorCompletion:
		h.failed(m)
	default:
		return h.manage(ctx, s, m)
	}
	return nil
}

// manage carries out the messages that change or ask for membership and
// existence, or close connections, and sends their acks on s.
func (h *Hub) manage(ctx context.Context, s pairing.Server, m serviceprotocol.Message) error {
	switch m := m.(type) {
	case *serviceprotocol.JoinGroup:
		h.join(m.ConnectionID, m.Group)
	case *serviceprotocol.LeaveGroup:
		h.leave(m.ConnectionID, m.Group)
	case *serviceprotocol.UserJoinGroup:
		h.userJoin(m.UserID, m.Group, m.TTL)
	case *serviceprotocol.UserLeaveGroup:
		h.userLeave(m.UserID, m.Group)
	case *serviceprotocol.JoinGroupWithAck:
		return ack(ctx, s, m.AckID, h.join(m.ConnectionID, m.Group))
	case *serviceprotocol.LeaveGroupWithAck:
		return ack(ctx, s, m.AckID, h.leave(m.ConnectionID, m.Group))
	case *serviceprotocol.UserJoinGroupWithAck:
		h.userJoin(m.UserID, m.Group, m.TTL)
		return ack(ctx, s, m.AckID, true)
	case *serviceprotocol.UserLeaveGroupWithAck:
		h.userLeave(m.UserID, m.Group)
		return ack(ctx, s, m.AckID, true)
	case *serviceprotocol.CheckUserInGroupWithAck:
		return ack(ctx, s, m.AckID, h.userInGroup(m.UserID, m.Group))
	case *serviceprotocol.CheckGroupExistenceWithAck:
		return ack(ctx, s, m.AckID, h.groupExists(m.Group))
	case *serviceprotocol.CheckConnectionExistenceWithAck:
		return ack(ctx, s, m.AckID, h.find(m.ConnectionID) != nil)
	case *serviceprotocol.CheckUserExistenceWithAck:
		return ack(ctx, s, m.AckID, h.userExists(m.UserID))
	case *serviceprotocol.GroupMemberQuery:
		page, token := h.members(m)
		payload := serviceprotocol.AppendGroupMembers(nil, page, token)
		return s.Send(ctx, &serviceprotocol.Ack{AckID: m.AckID, Status: serviceprotocol.AckOK, Payload: payload})
	case *serviceprotocol.CloseConnectionWithAck:
		return ack(ctx, s, m.AckID, h.closeOne(m.ConnectionID, m.Reason))
	case *serviceprotocol.CloseConnectionsWithAck:
		h.closeAll(m.Reason, m.ExcludedConnectionIDs)
		return ack(ctx, s, m.AckID, true)
	case *serviceprotocol.CloseUserConnectionsWithAck:
		h.closeUser(m.UserID, m.Reason, m.ExcludedConnectionIDs)
		return ack(ctx, s, m.AckID, true)
	case *serviceprotocol.CloseGroupConnectionsWithAck:
		h.closeGroup(m.Group, m.Reason, m.ExcludedConnectionIDs)
		return ack(ctx, s, m.AckID, true)
	case *serviceprotocol.AccessKeyRequest:
		return s.Send(ctx, &serviceprotocol.AccessKeyResponse{
			ErrorType: "NotSupported", Error: "This service has access keys only; use a connection string with AccessKey.",
		})
	case *serviceprotocol.ConnectionFlowControl: // answers what we never ask
	default:
		h.unknown.Add(1)
	}
	return nil
}

// ack answers a request on the server connection that carried it. An SDK takes
// NotFound for false, and waits ten seconds for either.
func ack(ctx context.Context, s pairing.Server, id int, found bool) error {
	status := serviceprotocol.AckNotFound
	if found {
		status = serviceprotocol.AckOK
	}
	return s.Send(ctx, &serviceprotocol.Ack{AckID: id, Status: status})
}
