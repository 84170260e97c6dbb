/* chat_format.c - the chat formats, one entry each.  Sources: the templates that the models' authors publish with them.  Order matters: what has the rarer fragments
 * comes first. */
#include "lm/chat_format.h"

#define IM_SYSTEM "<|im_start|>system"
#define CHATML {"<|im_start|>\1\n", "<|im_end|>\n"}
#define CHATML_TURNS .system = CHATML, .user = CHATML, .reply = CHATML, .other = CHATML, .prompt = "<|im_start|>assistant\n"
#define LLAMA3 {"<|start_header_id|>\1<|end_header_id|>\n\n", "<|eot_id|>"}
#define PHI3 {"<|\1|>\n", "<|end|>\n"}
#define PHI4 {"<|im_start|>\1<|im_sep|>", "<|im_end|>"}
#define ZEPHYR {"<|\1|>\n", "\3\n"}
#define FALCON3 {"<|\1|>\n", "\n"}
#define GLM4 {"<|\1|>\n", ""}
#define GRANITE {"<|start_of_role|>\1<|end_of_role|>", "<|end_of_text|>\n"}
#define GRANITE_TURNS .system = GRANITE, .user = GRANITE, .reply = GRANITE, .other = GRANITE, .prompt = "<|start_of_role|>assistant<|end_of_role|>"
#define MEGREZ {"<|role_start|>\1<|role_end|>", "<|turn_end|>"}
#define COMMAND_R(who) {"<|START_OF_TURN_TOKEN|><|" who "_TOKEN|>", "<|END_OF_TURN_TOKEN|>"}
#define DEEPSEEK(who) "<\xEF\xBD\x9C" who "\xEF\xBD\x9C>" /* full-width bars */
#define DEEPSEEK_TURNS .system = {"", ""}, .user = {DEEPSEEK("User"), ""}, .reply = {DEEPSEEK("Assistant"), "\3"}

/* Models that answer in a form of their own, or whose templates bring long instructions with every conversation. */
const char *const leat__chat_foreign[] = {
    "<|START_RESPONSE|>", "<|START_TEXT|>", "contextual safety mode",                       /* Command R7B, A and later */
    "Check if there is unsafe content", "You are a policy expert", "You are a safety agent", /* guards */
    "You are rnj-1", "capable of executing available function(s)", "You are Phi, a language model", "Your name is Phi, an AI math expert", "thoughtful and systematic AI assistant",
    "In this environment you have access to a set of tools", "A chat between a curious user and an artificial intelligence assistant", "Vous \xC3\xAAtes Vigogne", "[RESP]",
    "You are DBRX", "You are Dolphin", "Marco-o1", "set found_item", "idx in range(0, messages|length)",
    "not thinking is defined", "not enable_thinking %}{{- '</think>'", "is_tool_outputs",     /* DeepSeek 3.1 and later, and templates that llama.cpp brings itself */
    NULL,
};

const leat_chat_format leat__chat_formats[] = {
    {.name = "phi4", .has = {"<|im_start|>", "<|im_sep|>"}, .system = PHI4, .user = PHI4, .reply = PHI4, .prompt = "<|im_start|>assistant<|im_sep|>"},
    {.name = "qwen3-think", .has = {"<|im_start|>assistant\n<think>\n", "last_query_index", "'\n</think>\n\n' + content"}, .lacks = {"enable_thinking"},
     .flags = LEAT_CHAT_NO_THOUGHTS | LEAT_CHAT_LAST_THOUGHTS, .system = CHATML, .user = CHATML, .reply = CHATML, .other = CHATML, .prompt = "<|im_start|>assistant\n<think>\n"},
    {.name = "qwen3", .has = {"<|im_start|>", "enable_thinking", "last_query_index"}, .lacks = {"<|im_start|>assistant\n<think>\n'", "render_content"},
     .flags = LEAT_CHAT_NO_THOUGHTS | LEAT_CHAT_LAST_THOUGHTS, CHATML_TURNS},
    {.name = "qwq", .has = {"<|im_start|>assistant\n<think>\n", "</think>')[-1]"}, .lacks = {"last_query_index", "enable_thinking"}, .flags = LEAT_CHAT_NO_THOUGHTS, .system = CHATML,
     .user = CHATML, .reply = CHATML, .other = CHATML, .prompt = "<|im_start|>assistant\n<think>\n"},
    {.name = "qwen2.5", .has = {"<|im_start|>", "You are Qwen, created by Alibaba Cloud"}, CHATML_TURNS,
     .default_system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
    {.name = "smollm3", .has = {"Knowledge Cutoff Date: June 2025\n", "strftime_now(\"%d %B %Y\")", "custom_instructions.replace(\"/system_override\"",
                                 "  {{- \"<|im_end|>\n\" -}}\n  {%- endif -%}\n{%- endif -%}"},
     .flags = LEAT_CHAT_SMOLLM3, .system = {"", ""}, .user = CHATML, .reply = {"<|im_start|>assistant\n\4", "<|im_end|>\n"}, .prompt = "<|im_start|>assistant\n\4"},
    {.name = "smollm2", .has = {"<|im_start|>", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"}, .lacks = {"Reasoning Mode: "}, CHATML_TURNS,
     .default_system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
    {.name = "qwen1.5", .has = {IM_SYSTEM "\nYou are a helpful assistant<|im_end|>"}, CHATML_TURNS, .default_system = "You are a helpful assistant"},
    {.name = "qwen2", .has = {"<|im_start|>", "You are a helpful assistant."}, CHATML_TURNS, .default_system = "You are a helpful assistant."},
    {.name = "yi", .has = {"<|im_start|>", "{{ system_message }}", "+ content + '<|im_end|>"}, .system = {"", ""}, .user = CHATML, .reply = CHATML, .prompt = "<|im_start|>assistant\n"},
    {.name = "chatml-own", .has = {IM_SYSTEM "\nYou are "}, .flags = LEAT_CHAT_NEEDS_SYSTEM, CHATML_TURNS},
    {.name = "chatml", .has = {"<|im_start|>"}, .lacks = {"<|im_start|>assistant\n<think>", "enable_thinking"}, CHATML_TURNS},

    {.name = "mistral-v7", .has = {"[INST]", "[SYSTEM_PROMPT] "}, .system = {"[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"}, .user = {"[INST] ", "[/INST]"}, .reply = {" ", "\3"}},
    {.name = "mistral-v7-tekken-own", .has = {"[INST]", "[SYSTEM_PROMPT]", "default_system_message"}, .flags = LEAT_CHAT_NEEDS_SYSTEM,
     .system = {"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"}, .user = {"[INST]", "[/INST]"}, .reply = {"", "\3"}},
    {.name = "mistral-v7-tekken", .has = {"[INST]", "[SYSTEM_PROMPT]"}, .system = {"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"}, .user = {"[INST]", "[/INST]"}, .reply = {"", "\3"}},
    {.name = "mistral-v1", .has = {"' [INST] ' + system_message"}, .flags = LEAT_CHAT_SYSTEM_FIRST, .system = {"", "\n\n"}, .user = {" [INST] ", " [/INST]"}, .reply = {" ", "\3"}},
    {.name = "mistral-v3-tekken", .has = {"[AVAILABLE_TOOLS]", "\"[INST]\""}, .flags = LEAT_CHAT_SYSTEM_LAST, .system = {"", "\n\n"}, .user = {"[INST]", "[/INST]"},
     .reply = {"", "\3"}},
    {.name = "mistral-v3", .has = {"[AVAILABLE_TOOLS]", "[INST] "}, .lacks = {"' [INST] '", "ns.lastuser"}, .flags = LEAT_CHAT_SYSTEM_LAST | LEAT_CHAT_TRIM_REPLY,
     .system = {"", "\n\n"},
     .user = {"[INST] ", "[/INST]"}, .reply = {" ", "\3"}},
    {.name = "mixtral-8x22b", .has = {"'[INST] ' + system_message", "+ '[/INST]'"}, .flags = LEAT_CHAT_SYSTEM_LAST, .system = {"", "\n\n"},
     .user = {"[INST] ", "[/INST]"}, .reply = {" ", "\3"}},
    {.name = "llama2", .has = {"[INST]", "<<SYS>>", "bos_token + '[INST]"}, .flags = LEAT_CHAT_SYSTEM_FIRST | LEAT_CHAT_TRIM | LEAT_CHAT_TRIM_WHOLE,
     .system = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
     .user = {"[INST] ", " [/INST]"}, .reply = {" ", " \3"}, .again = "\2"},
    {.name = "llama2-flat", .has = {"[INST]", "<<SYS>>"}, .flags = LEAT_CHAT_SYSTEM_FIRST | LEAT_CHAT_TRIM | LEAT_CHAT_TRIM_WHOLE, .system = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
     .user = {"[INST] ", " [/INST]"}, .reply = {" ", " \3"}},
    {.name = "mistral-v0.1", .has = {"'[INST] ' + message", "+ eos_token + ' '"}, .flags = LEAT_CHAT_SYSTEM_FIRST, .system = {"", "\n\n"},
     .user = {"[INST] ", " [/INST]"}, .reply = {"", "\3 "}},
    {.name = "mistral-v0", .has = {"'[INST] ' + message"}, .lacks = {"[AVAILABLE_TOOLS]"}, .flags = LEAT_CHAT_SYSTEM_FIRST, .system = {"", "\n\n"},
     .user = {"[INST] ", " [/INST]"}, .reply = {"", "\3"}},

    {.name = "llama3.2", .has = {"<|start_header_id|>", "Cutting Knowledge Date: December 2023", "Today Date: ", "strftime_now(\"%d %b %Y\")"}, .flags = LEAT_CHAT_TRIM,
     .system = {"<|start_header_id|>\1<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: \5\n\n", "<|eot_id|>"}, .user = LLAMA3, .reply = LLAMA3, .other = LLAMA3,
     .prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n", .default_system = ""},
    {.name = "llama3.1", .has = {"<|start_header_id|>", "Cutting Knowledge Date: December 2023", "Today Date: "}, .flags = LEAT_CHAT_TRIM,
     .system = {"<|start_header_id|>\1<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n", "<|eot_id|>"}, .user = LLAMA3, .reply = LLAMA3, .other = LLAMA3,
     .prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n", .default_system = ""},
    {.name = "llama3-nemotron", .has = {"<|start_header_id|>", "set system_message = \"\""}, .lacks = {"Cutting Knowledge Date", "enable_thinking"},
     .flags = LEAT_CHAT_TRIM, .system = LLAMA3, .user = LLAMA3,
     .reply = LLAMA3, .other = LLAMA3, .prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n", .default_system = ""},
    {.name = "llama3", .has = {"<|start_header_id|>", "<|end_header_id|>"}, .lacks = {"Cutting Knowledge Date", "enable_thinking"}, .flags = LEAT_CHAT_TRIM,
     .system = LLAMA3, .user = LLAMA3, .reply = LLAMA3, .other = LLAMA3,
     .prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n"},
    {.name = "gemma", .has = {"<start_of_turn>", "<end_of_turn>"}, .flags = LEAT_CHAT_SYSTEM_FIRST | LEAT_CHAT_TRIM, .system = {"", "\n\n"},
     .user = {"<start_of_turn>user\n", "<end_of_turn>\n"}, .reply = {"<start_of_turn>model\n", "<end_of_turn>\n"}, .prompt = "<start_of_turn>model\n"},
    {.name = "phi4-mini", .has = {"'|>' + message['content'] + '<|end|>'"}, .system = {"<|\1|>", "<|end|>"}, .user = {"<|\1|>", "<|end|>"},
     .reply = {"<|\1|>", "<|end|>"}, .prompt = "<|assistant|>"},
    {.name = "phi3-nosystem", .has = {"<|end|>", "<|assistant|>"}, .lacks = {"system", "message['role'] + '|>'", "message.role + '|>'"}, .user = PHI3, .reply = PHI3,
     .prompt = "<|assistant|>\n"},
    {.name = "phi3", .has = {"<|end|>", "<|assistant|>"}, .system = PHI3, .user = PHI3, .reply = PHI3, .prompt = "<|assistant|>\n"},
    {.name = "chatglm4-line", .has = {"[gMASK]<sop>", "%}<|assistant|>\n"}, .lacks = {"<think>"}, .system = GLM4, .user = GLM4, .reply = GLM4, .other = GLM4, .prompt = "<|assistant|>\n",
     .start = "[gMASK]<sop>"},
    {.name = "chatglm4", .has = {"[gMASK]<sop>"}, .lacks = {"<think>"}, .system = GLM4, .user = GLM4, .reply = GLM4, .other = GLM4, .prompt = "<|assistant|>", .start = "[gMASK]<sop>"},
    {.name = "granite-own", .has = {"<|start_of_role|>", "Knowledge Cutoff Date"}, .flags = LEAT_CHAT_NEEDS_SYSTEM, GRANITE_TURNS},
    {.name = "granite4-own", .has = {"<|start_of_role|>", "Please ensure responses are professional"}, .flags = LEAT_CHAT_NEEDS_SYSTEM, GRANITE_TURNS},
    {.name = "granite", .has = {"<|start_of_role|>", "<|end_of_role|>"}, GRANITE_TURNS},
    {.name = "megrez", .has = {"<|role_start|>", "<|turn_end|>"}, .system = MEGREZ, .user = MEGREZ, .reply = MEGREZ, .prompt = "<|role_start|>assistant<|role_end|>",
     .default_system = "\xE4\xBD\xA0\xE6\x98\xAFMegrez-3B-Instruct\xEF\xBC\x8C\xE5\xB0\x86\xE9\x92\x88\xE5\xAF\xB9\xE7\x94\xA8\xE6\x88\xB7\xE7\x9A\x84\xE9\x97\xAE\xE9\xA2\x98"
                       "\xE7\xBB\x99\xE5\x87\xBA\xE8\xAF\xA6\xE7\xBB\x86\xE7\x9A\x84\xE3\x80\x81\xE7\xA7\xAF\xE6\x9E\x81\xE7\x9A\x84\xE5\x9B\x9E\xE7\xAD\x94\xE3\x80\x82"},
    {.name = "command-r", .has = {"<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>"}, .flags = LEAT_CHAT_TRIM | LEAT_CHAT_RAW_SYSTEM, .system = COMMAND_R("SYSTEM"),
     .user = COMMAND_R("USER"),
     .reply = COMMAND_R("CHATBOT"), .prompt = "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
    {.name = "exaone3", .has = {"[|assistant|]", "[|endofturn|]"}, .lacks = {"<thought>"}, .system = {"[|system|]", "[|endofturn|]\n"}, .user = {"[|user|]", "\n"},
     .reply = {"[|assistant|]", "[|endofturn|]\n"}, .prompt = "[|assistant|]", .default_system = ""},
    {.name = "deepseek-r1", .has = {DEEPSEEK("Assistant") "<think>", DEEPSEEK("User")}, .flags = LEAT_CHAT_CUT_THOUGHTS, DEEPSEEK_TURNS, .prompt = DEEPSEEK("Assistant") "<think>\n"},
    {.name = "deepseek3", .has = {DEEPSEEK("Assistant"), DEEPSEEK("User")}, .flags = LEAT_CHAT_CUT_THOUGHTS, DEEPSEEK_TURNS, .prompt = DEEPSEEK("Assistant")},
    {.name = "deepseek2", .has = {"'Assistant: ' + message['content'] + eos_token", "'User: '"}, .system = {"", "\n\n"}, .user = {"User: ", "\n\n"}, .reply = {"Assistant: ", "\3"},
     .prompt = "Assistant:", .stop = "\nUser:"},
    {.name = "deepseek-coder", .has = {"### Instruction:", "<|EOT|>"}, .system = {"", ""}, .user = {"### Instruction:\n", "\n"}, .reply = {"### Response:\n", "\n<|EOT|>\n"},
     .prompt = "### Response:\n",
     .default_system = "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek Company, and you only answer questions "
                       "related to computer science. For politically sensitive questions, security and privacy issues, and other non-computer science questions, you will refuse to answer\n"},
    {.name = "openchat", .has = {"GPT4 Correct "}, .system = {"GPT4 Correct System: ", "<|end_of_turn|>"}, .user = {"GPT4 Correct User: ", "<|end_of_turn|>"},
     .reply = {"GPT4 Correct Assistant: ", "<|end_of_turn|>"}, .prompt = "GPT4 Correct Assistant:"},
    {.name = "vicuna-orca", .has = {"USER: ", "ASSISTANT: ", "SYSTEM: "}, .system = {"SYSTEM: ", "\n"}, .user = {"USER: ", "\n"}, .reply = {"ASSISTANT: ", "\3\n"},
     .prompt = "ASSISTANT:",
     .stop = "\nUSER:"},
    {.name = "vicuna", .has = {"USER: ", "ASSISTANT: "}, .system = {"", "\n\n"}, .user = {"USER: ", "\n"}, .reply = {"ASSISTANT: ", "\3\n"}, .prompt = "ASSISTANT:",
     .stop = "\nUSER:"},
    {.name = "tulu", .has = {"<|user|>\n' + message['content'] + '\n'", "<|system|>", "eos_token"}, .system = FALCON3, .user = FALCON3, .reply = ZEPHYR, .prompt = "<|assistant|>\n"},
    {.name = "zephyr", .has = {"<|user|>", "<|assistant|>", "eos_token"}, .lacks = {"</s>", "<|user|>\n' + message['content'] }}"}, .system = ZEPHYR, .user = ZEPHYR,
     .reply = ZEPHYR, .prompt = "<|assistant|>\n"},
    {.name = "falcon3", .has = {"<|user|>", "<|assistant|>", "</s>"}, .system = FALCON3, .user = FALCON3, .reply = FALCON3, .prompt = "<|assistant|>\n"},

    {.name = "alpaca", .system = {"", "\n\n"}, .user = {"### Instruction:\n", "\n\n"}, .reply = {"### Response:\n", "\3\n\n"}, .prompt = "### Response:\n",
     .stop = "### Instruction:"},
    {.name = "plain", .system = {"System: ", "\n"}, .user = {"User: ", "\n"}, .reply = {"Assistant: ", "\n"}, .prompt = "Assistant:", .stop = "\nUser:"},
    {.name = "raw", .system = {"", ""}, .user = {"", ""}, .reply = {"", ""}},
    {.name = NULL},
};
