package falcogrpc

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// frame is one message of the stream, undecoded.
type frame struct{ data []byte }

// codec hands out messages undecoded where a *frame is asked for, and is the standard codec
// otherwise. Falco sends the bytes of process arguments as they are; the standard codec fails
// the whole stream on the first that is not UTF-8. alert.DecodeGRPC repairs them instead.
type codec struct{ standard encoding.CodecV2 }

func newCodec() codec { return codec{standard: encoding.GetCodecV2(proto.Name)} }

// Name is that of the standard codec: on the wire it is the same.
func (codec) Name() string { return proto.Name }

func (c codec) Marshal(v any) (mem.BufferSlice, error) { return c.standard.Marshal(v) }

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*frame); ok {
		f.data = data.Materialize()
		return nil
	}
	return c.standard.Unmarshal(data, v)
}
