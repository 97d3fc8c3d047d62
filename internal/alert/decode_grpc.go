package alert

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of falco.outputs.response and of google.protobuf.Timestamp, from Falco's
// outputs.proto (unchanged from Falco 0.28 to 0.43).
const (
	grpcTime         protowire.Number = 1
	grpcPriority     protowire.Number = 2
	grpcRule         protowire.Number = 4
	grpcOutput       protowire.Number = 5
	grpcOutputFields protowire.Number = 6
	grpcHostname     protowire.Number = 7
	grpcTags         protowire.Number = 8
	grpcSource       protowire.Number = 9
)

// DecodeGRPC decodes one falco.outputs.response message from its protobuf encoding. The
// alert keeps raw, which must not be changed afterwards.
//
// It reads the wire format itself, not through generated code, for two reasons: Falco puts
// the bytes of process arguments into proto3 strings as they are, and the standard decoder
// fails on what is not UTF-8; and reflection would cost more than all the rest of decoding.
// A test holds it against the generated code.
func DecodeGRPC(raw []byte) (*Alert, error) {
	if len(raw) > MaxBytes {
		return nil, ErrTooLarge
	}
	// EMERGENCY is 0, which proto3 leaves out.
	a := &Alert{Raw: raw, Encoding: EncodingGRPC, Priority: PriorityEmergency}
	fields := make([]Field, 0, 32)
	err := eachField(raw, func(num protowire.Number, typ protowire.Type, v uint64, b []byte) error {
		switch {
		case num == grpcPriority && typ == protowire.VarintType:
			a.Priority = priorityFromEnum(v)
			return nil
		case typ != protowire.BytesType:
			return nil
		default:
		}
		switch num {
		case grpcTime:
			return a.readTimestamp(b)
		case grpcRule:
			a.Rule = valid(string(b))
		case grpcOutput:
			a.Output = valid(string(b))
		case grpcOutputFields:
			f, err := readEntry(b)
			fields = append(fields, f)
			return err
		case grpcHostname:
			a.Hostname = valid(string(b))
		case grpcTags:
			a.Tags = append(a.Tags, valid(string(b)))
		case grpcSource:
			a.Source = valid(string(b))
		default:
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.setFields(fields)
	return a, a.finish()
}

// readTimestamp reads a google.protobuf.Timestamp.
func (a *Alert) readTimestamp(b []byte) error {
	var sec, nsec int64
	err := eachField(b, func(num protowire.Number, typ protowire.Type, v uint64, _ []byte) error {
		switch {
		case typ != protowire.VarintType:
		case num == 1:
			sec = int64(v) //nolint:gosec // protobuf's own encoding of a signed number
		case num == 2:
			nsec = int64(v) //nolint:gosec // protobuf's own encoding of a signed number
		default:
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.setUnix(sec, nsec)
}

// readEntry reads one entry of a map from string to string.
func readEntry(b []byte) (Field, error) {
	f := Field{Value: StringValue("")}
	err := eachField(b, func(num protowire.Number, typ protowire.Type, _ uint64, b []byte) error {
		switch {
		case typ != protowire.BytesType:
		case num == 1:
			f.Name = valid(string(b))
		case num == 2:
			f.Value = StringValue(valid(string(b)))
		default:
		}
		return nil
	})
	return f, err
}

// eachField calls f for every field of a protobuf message: with the value of a varint, with
// the content of a length-delimited field, or with neither for other types.
func eachField(b []byte, f func(num protowire.Number, typ protowire.Type, v uint64, b []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return wireError(n)
		}
		b = b[n:]
		var v uint64
		var content []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return wireError(n)
		}
		if err := f(num, typ, v, content); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// wireError words an error code of protowire.
func wireError(n int) error {
	return fmt.Errorf("%w: not a protobuf message: %w", ErrNotAnAlert, protowire.ParseError(n))
}
