package lm

/*
#include <leat/leat.h>
#include <stdlib.h>
*/
import "C"

import "unsafe"

// Message is one turn of a conversation.
type Message struct{ Role, Content string }

// ChatFormat is the name of the format that the model's file gives for conversations: "chatml", "llama3", ...; leat.EUnsupported where it gives none that is known.
func (m *Model) ChatFormat() (string, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return "", err
	}
	defer m.handle.Leave()
	var name *C.char
	var failed C.leat_error
	if err := failure(C.leat_chat_of_file(C.leat_lm_gguf((*C.leat_lm)(p)), &name, &failed), &failed); err != nil {
		return "", err
	}
	return C.GoString(name), nil
}

// ChatPrompt is a conversation as the text that the model was trained on, ended by what the assistant's reply begins with.  format: "" = the file's.  Generate from it with
// Request.Parse: control tokens that a content spells out then become control tokens, so strip them from what is not trusted.
func (m *Model) ChatPrompt(format string, messages ...Message) (string, error) {
	if format == "" {
		var err error
		if format, err = m.ChatFormat(); err != nil {
			return "", err
		}
	}
	memory := &call{}
	defer memory.free()
	name, err := memory.text(format, "a format")
	if err != nil {
		return "", err
	}
	room := 256
	table := unsafe.Slice((*C.leat_chat_message)(memory.alloc(len(messages)*C.sizeof_leat_chat_message+C.sizeof_leat_chat_message)), len(messages)+1)
	for i, message := range messages {
		if table[i].role, err = memory.text(message.Role, "a role"); err != nil {
			return "", err
		}
		if table[i].content, err = memory.text(message.Content, "a message"); err != nil {
			return "", err
		}
		room += 2*len(message.Content) + 256
	}
	p, err := m.handle.Enter()
	if err != nil {
		return "", err
	}
	defer m.handle.Leave()
	for {
		text := make([]byte, room)
		var size C.size_t
		var failed C.leat_error
		status := C.leat_chat_render(name, C.leat_lm_tokenizer((*C.leat_lm)(p)), &table[0], C.int64_t(len(messages)), C.LEAT_CHAT_PROMPT,
			(*C.char)(unsafe.Pointer(&text[0])), C.size_t(room), &size, &failed)
		if status != C.LEAT_ELIMIT || int(size) <= room {
			if err := failure(status, &failed); err != nil {
				return "", err
			}
			return string(text[:size]), nil
		}
		room = int(size)
	}
}
