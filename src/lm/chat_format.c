/* chat_format.c - the chat formats, one entry each.  Sources: the templates that the models' authors publish with them.  Order matters: what has the rarer fragments
 * comes first. */
#include "lm/chat_format.h"

#define CHATML {"<|im_start|>\1\n", "<|im_end|>\n"}
#define CHATML_TURNS .system = CHATML, .user = CHATML, .reply = CHATML, .other = CHATML, .prompt = "<|im_start|>assistant\n"
#define LLAMA3 {"<|start_header_id|>\1<|end_header_id|>\n\n", "<|eot_id|>"}
#define PHI3 {"<|\1|>\n", "<|end|>\n"}
#define PHI4 {"<|im_start|>\1<|im_sep|>", "<|im_end|>"}
#define ZEPHYR {"<|\1|>\n", "\3\n"}
#define FALCON3 {"<|\1|>\n", "\n"}
#define GLM4 {"<|\1|>\n", ""}
#define GRANITE {"<|start_of_role|>\1<|end_of_role|>", "<|end_of_text|>\n"}
#define MEGREZ {"<|role_start|>\1<|role_end|>", "<|turn_end|>"}
#define COMMAND_R(who) {"<|START_OF_TURN_TOKEN|><|" who "_TOKEN|>", "<|END_OF_TURN_TOKEN|>"}
#define DEEPSEEK(who) "<\xEF\xBD\x9C" who "\xEF\xBD\x9C>" /* full-width bars */
#define DEEPSEEK_TURNS .system = {"", ""}, .user = {DEEPSEEK("User"), ""}, .reply = {DEEPSEEK("Assistant"), "\3"}

const leat_chat_format leat__chat_formats[] = {
    {.name = "phi4", .has = {"<|im_start|>", "<|im_sep|>"}, .system = PHI4, .user = PHI4, .reply = PHI4, .prompt = "<|im_start|>assistant<|im_sep|>"},
    {.name = "qwen3", .has = {"<|im_start|>", "enable_thinking"}, .flags = LEAT_CHAT_NO_THOUGHTS, CHATML_TURNS},
    {.name = "qwen2.5", .has = {"<|im_start|>", "You are Qwen, created by Alibaba Cloud"}, CHATML_TURNS,
     .default_system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
    {.name = "smollm2", .has = {"<|im_start|>", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"}, CHATML_TURNS,
     .default_system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
    {.name = "qwen2", .has = {"<|im_start|>", "You are a helpful assistant", "messages[0]"}, .lacks = {"Qwen"}, CHATML_TURNS, .default_system = "You are a helpful assistant."},
    {.name = "chatml", .has = {"<|im_start|>"}, CHATML_TURNS},

    {.name = "mistral-v7", .has = {"[INST]", "[SYSTEM_PROMPT] "}, .system = {"[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"}, .user = {"[INST] ", "[/INST]"}, .reply = {" ", "\3"}},
    {.name = "mistral-v7-tekken", .has = {"[INST]", "[SYSTEM_PROMPT]"}, .system = {"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"}, .user = {"[INST]", "[/INST]"}, .reply = {"", "\3"}},
    {.name = "mistral-v1", .has = {"' [INST] ' + system_message"}, .flags = LEAT_CHAT_SYSTEM_FIRST, .system = {"", "\n\n"}, .user = {" [INST] ", " [/INST]"}, .reply = {" ", "\3"}},
    {.name = "mistral-v3-tekken", .has = {"[AVAILABLE_TOOLS]", "\"[INST]\""}, .flags = LEAT_CHAT_SYSTEM_LAST, .system = {"", "\n\n"}, .user = {"[INST]", "[/INST]"}, .reply = {"", "\3"}},
    {.name = "mistral-v3", .has = {"[AVAILABLE_TOOLS]", "[INST] "}, .flags = LEAT_CHAT_SYSTEM_LAST | LEAT_CHAT_TRIM_REPLY, .system = {"", "\n\n"}, .user = {"[INST] ", "[/INST]"},
     .reply = {" ", "\3"}},
    {.name = "llama2", .has = {"[INST]", "<<SYS>>", "bos_token + '[INST]"}, .flags = LEAT_CHAT_SYSTEM_FIRST | LEAT_CHAT_TRIM, .system = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
     .user = {"[INST] ", " [/INST]"}, .reply = {" ", " \3"}, .again = "\2"},
    {.name = "llama2-flat", .has = {"[INST]", "<<SYS>>"}, .flags = LEAT_CHAT_SYSTEM_FIRST | LEAT_CHAT_TRIM, .system = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
     .user = {"[INST] ", " [/INST]"}, .reply = {" ", " \3"}},
    {.name = "mistral-v0", .has = {"'[INST] ' + message"}, .flags = LEAT_CHAT_SYSTEM_FIRST, .system = {"", "\n\n"}, .user = {"[INST] ", " [/INST]"}, .reply = {"", "\3"}},

    {.name = "llama3", .has = {"<|start_header_id|>", "<|end_header_id|>"}, .flags = LEAT_CHAT_TRIM, .system = LLAMA3, .user = LLAMA3, .reply = LLAMA3, .other = LLAMA3,
     .prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n"},
    {.name = "gemma", .has = {"<start_of_turn>", "<end_of_turn>"}, .flags = LEAT_CHAT_SYSTEM_FIRST | LEAT_CHAT_TRIM, .system = {"", "\n\n"},
     .user = {"<start_of_turn>user\n", "<end_of_turn>\n"}, .reply = {"<start_of_turn>model\n", "<end_of_turn>\n"}, .prompt = "<start_of_turn>model\n"},
    {.name = "phi3", .has = {"<|end|>", "<|assistant|>"}, .system = PHI3, .user = PHI3, .reply = PHI3, .prompt = "<|assistant|>\n"},
    {.name = "chatglm4", .has = {"[gMASK]<sop>"}, .system = GLM4, .user = GLM4, .reply = GLM4, .other = GLM4, .prompt = "<|assistant|>\n", .start = "[gMASK]<sop>"},
    {.name = "granite", .has = {"<|start_of_role|>", "<|end_of_role|>"}, .system = GRANITE, .user = GRANITE, .reply = GRANITE, .other = GRANITE,
     .prompt = "<|start_of_role|>assistant<|end_of_role|>"},
    {.name = "megrez", .has = {"<|role_start|>", "<|turn_end|>"}, .system = MEGREZ, .user = MEGREZ, .reply = MEGREZ, .prompt = "<|role_start|>assistant<|role_end|>"},
    {.name = "command-r", .has = {"<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>"}, .flags = LEAT_CHAT_TRIM, .system = COMMAND_R("SYSTEM"), .user = COMMAND_R("USER"),
     .reply = COMMAND_R("CHATBOT"), .prompt = "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
    {.name = "exaone3", .has = {"[|assistant|]", "[|endofturn|]"}, .flags = LEAT_CHAT_TRIM, .system = {"[|system|]", "[|endofturn|]\n"}, .user = {"[|user|]", "\n"},
     .reply = {"[|assistant|]", "[|endofturn|]\n"}, .prompt = "[|assistant|]"},
    {.name = "deepseek-r1", .has = {DEEPSEEK("Assistant") "<think>", DEEPSEEK("User")}, .flags = LEAT_CHAT_CUT_THOUGHTS, DEEPSEEK_TURNS, .prompt = DEEPSEEK("Assistant") "<think>\n"},
    {.name = "deepseek3", .has = {DEEPSEEK("Assistant"), DEEPSEEK("User")}, .flags = LEAT_CHAT_CUT_THOUGHTS, DEEPSEEK_TURNS, .prompt = DEEPSEEK("Assistant")},
    {.name = "deepseek2", .has = {"'Assistant: ' + message['content'] + eos_token", "'User: '"}, .system = {"", "\n\n"}, .user = {"User: ", "\n\n"}, .reply = {"Assistant: ", "\3"},
     .prompt = "Assistant:", .stop = "\nUser:"},
    {.name = "deepseek-coder", .has = {"### Instruction:", "<|EOT|>"}, .system = {"", ""}, .user = {"### Instruction:\n", "\n"}, .reply = {"### Response:\n", "\n<|EOT|>\n"},
     .prompt = "### Response:\n"},
    {.name = "openchat", .has = {"GPT4 Correct "}, .system = {"GPT4 Correct System: ", "<|end_of_turn|>"}, .user = {"GPT4 Correct User: ", "<|end_of_turn|>"},
     .reply = {"GPT4 Correct Assistant: ", "<|end_of_turn|>"}, .prompt = "GPT4 Correct Assistant:"},
    {.name = "vicuna-orca", .has = {"USER: ", "ASSISTANT: ", "SYSTEM: "}, .system = {"SYSTEM: ", "\n"}, .user = {"USER: ", "\n"}, .reply = {"ASSISTANT: ", "\3\n"}, .prompt = "ASSISTANT:",
     .stop = "\nUSER:"},
    {.name = "vicuna", .has = {"USER: ", "ASSISTANT: "}, .system = {"", "\n\n"}, .user = {"USER: ", "\n"}, .reply = {"ASSISTANT: ", "\3\n"}, .prompt = "ASSISTANT:",
     .stop = "\nUSER:"},
    {.name = "zephyr", .has = {"<|user|>", "<|assistant|>", "eos_token"}, .lacks = {"</s>"}, .system = ZEPHYR, .user = ZEPHYR, .reply = ZEPHYR, .prompt = "<|assistant|>\n"},
    {.name = "falcon3", .has = {"<|user|>", "<|assistant|>", "</s>"}, .system = FALCON3, .user = FALCON3, .reply = FALCON3, .prompt = "<|assistant|>\n"},

    {.name = "alpaca", .system = {"", "\n\n"}, .user = {"### Instruction:\n", "\n\n"}, .reply = {"### Response:\n", "\3\n\n"}, .prompt = "### Response:\n",
     .stop = "### Instruction:"},
    {.name = "plain", .system = {"System: ", "\n"}, .user = {"User: ", "\n"}, .reply = {"Assistant: ", "\n"}, .prompt = "Assistant:", .stop = "\nUser:"},
    {.name = "raw", .system = {"", ""}, .user = {"", ""}, .reply = {"", ""}},
    {.name = NULL},
};
