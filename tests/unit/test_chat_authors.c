/* test_chat_authors.c - conversations as the authors' own templates write them: strings that Jinja2 3.1 (sandboxed, trim_blocks, lstrip_blocks, no date function) gave for the
 * templates in the files of the models that the comments name, as their tags are in Ollama's library, or for the ones of these names in llama.cpp's and huggingface.js's tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "leat/chat.h"

enum { SYSTEM, PLAIN, THOUGHTS, DONE };
static const struct {
    leat_chat_message messages[4];
    int64_t           count;
    uint32_t          flags;
} talks[] = {
    [SYSTEM] = {{{"system", "Be brief.\n"}, {"user", "  Hello \n there "}, {"assistant", " Hi\n"}, {"user", "x\n\ny"}}, 4, LEAT_CHAT_PROMPT},
    [PLAIN] = {{{"user", "Hello"}, {"assistant", "Hi there"}, {"user", "Who are you?"}}, 3, LEAT_CHAT_PROMPT},
    [THOUGHTS] = {{{"user", "a"}, {"assistant", "<think>\nhm\n</think>\n\nb"}, {"user", "c"}}, 3, LEAT_CHAT_PROMPT},
    [DONE] = {{{"system", "S"}, {"user", "a"}, {"assistant", "b"}}, 3, 0},
};

static const struct {
    const char *name;
    int         talk;
    const char *text;
} expected[] = {
    /* glm4:9b */
    {"chatglm4", SYSTEM, "[gMASK]<sop><|system|>\nBe brief.\n<|user|>\n  Hello \n there <|assistant|>\n Hi\n<|user|>\nx\n\ny<|assistant|>"},
    /* glm4:9b */
    {"chatglm4", PLAIN, "[gMASK]<sop><|user|>\nHello<|assistant|>\nHi there<|user|>\nWho are you?<|assistant|>"},
    /* ChatGLM4 */
    {"chatglm4-line", SYSTEM, "[gMASK]<sop><|system|>\nBe brief.\n<|user|>\n  Hello \n there <|assistant|>\n Hi\n<|user|>\nx\n\ny<|assistant|>\n"},
    /* ChatGLM4 */
    {"chatglm4-line", PLAIN, "[gMASK]<sop><|user|>\nHello<|assistant|>\nHi there<|user|>\nWho are you?<|assistant|>\n"},
    /* mixtral:8x7b */
    {"chatml", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<|im_"
     "end|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n"},
    /* mixtral:8x7b */
    {"chatml", PLAIN, "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im"
     "_start|>assistant\n"},
    /* mixtral:8x7b */
    {"chatml", DONE, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"},
    /* OpenHermes-2.5 */
    {"chatml", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<|im_"
     "end|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n"},
    /* OpenHermes-2.5 */
    {"chatml", PLAIN, "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im"
     "_start|>assistant\n"},
    /* OpenHermes-2.5 */
    {"chatml", DONE, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"},
    /* qwq:32b */
    {"chatml-own", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<"
     "|im_end|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n"},
    /* command-r:35b */
    {"command-r", SYSTEM, "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be brief.\n<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hello \n the"
     "re<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hi<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>x\n\ny<|END_OF_TUR"
     "N_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
    /* command-r:35b */
    {"command-r", PLAIN, "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hello<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hi there<|END_OF_T"
     "URN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Who are you?<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
    /* deepseek-coder:1.3b */
    {"deepseek-coder", SYSTEM, "Be brief.\n### Instruction:\n  Hello \n there \n### Response:\n Hi\n\n<|EOT|>\n### Instruction:\nx\n\ny\n### Respon"
     "se:\n"},
    /* deepseek-coder:1.3b */
    {"deepseek-coder", PLAIN, "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek Company, and you only"
     " answer questions related to computer science. For politically sensitive questions, security and privacy issues, and other non-computer scien"
     "ce questions, you will refuse to answer\n### Instruction:\nHello\n### Response:\nHi there\n<|EOT|>\n### Instruction:\nWho are you?\n### Respo"
     "nse:\n"},
    /* deepcoder */
    {"deepseek-r1", SYSTEM, "Be brief.\n<\xEF\xBD\x9CUser\xEF\xBD\x9C>  Hello \n there <\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C> Hi\n</s><\xEF\xBD\x9C"
     "User\xEF\xBD\x9C>x\n\ny<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C><think>\n"},
    /* deepcoder */
    {"deepseek-r1", PLAIN, "<\xEF\xBD\x9CUser\xEF\xBD\x9C>Hello<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>Hi there</s><\xEF\xBD\x9CUser\xEF\xBD\x9C>Who "
     "are you?<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C><think>\n"},
    /* deepcoder */
    {"deepseek-r1", THOUGHTS, "<\xEF\xBD\x9CUser\xEF\xBD\x9C>a<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>\n\nb</s><\xEF\xBD\x9CUser\xEF\xBD\x9C>c<\xEF"
     "\xBD\x9C" "Assistant\xEF\xBD\x9C><think>\n"},
    /* deepseek-r1:latest */
    {"deepseek3", SYSTEM, "Be brief.\n<\xEF\xBD\x9CUser\xEF\xBD\x9C>  Hello \n there <\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C> Hi\n</s><\xEF\xBD\x9CUs"
     "er\xEF\xBD\x9C>x\n\ny<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>"},
    /* deepseek-r1:latest */
    {"deepseek3", PLAIN, "<\xEF\xBD\x9CUser\xEF\xBD\x9C>Hello<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>Hi there</s><\xEF\xBD\x9CUser\xEF\xBD\x9C>Who ar"
     "e you?<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>"},
    /* deepseek-r1:latest */
    {"deepseek3", THOUGHTS, "<\xEF\xBD\x9CUser\xEF\xBD\x9C>a<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>\n\nb</s><\xEF\xBD\x9CUser\xEF\xBD\x9C>c<\xEF\xBD"
     "\x9C" "Assistant\xEF\xBD\x9C>"},
    /* exaone3.5 */
    {"exaone3", SYSTEM, "[|system|]Be brief.\n[|endofturn|]\n[|user|]  Hello \n there \n[|assistant|] Hi\n[|endofturn|]\n[|user|]x\n\ny\n[|assistan"
     "t|]"},
    /* exaone3.5 */
    {"exaone3", PLAIN, "[|system|][|endofturn|]\n[|user|]Hello\n[|assistant|]Hi there[|endofturn|]\n[|user|]Who are you?\n[|assistant|]"},
    /* gemma2:2b */
    {"gemma", PLAIN, "<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nHi there<end_of_turn>\n<start_of_turn>user\nWho are you?<end_o"
     "f_turn>\n<start_of_turn>model\n"},
    /* gemma3:1b */
    {"gemma", PLAIN, "<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nHi there<end_of_turn>\n<start_of_turn>user\nWho are you?<end_o"
     "f_turn>\n<start_of_turn>model\n"},
    /* granite3-dense */
    {"granite", SYSTEM, "<|start_of_role|>system<|end_of_role|>Be brief.\n<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>  Hello \n there <|e"
     "nd_of_text|>\n<|start_of_role|>assistant<|end_of_role|> Hi\n<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>x\n\ny<|end_of_text|>\n<|sta"
     "rt_of_role|>assistant<|end_of_role|>"},
    /* granite3-dense */
    {"granite", PLAIN, "<|start_of_role|>user<|end_of_role|>Hello<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>Hi there<|end_of_text|>"
     "\n<|start_of_role|>user<|end_of_role|>Who are you?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"},
    /* llama2:7b */
    {"llama2", SYSTEM, "[INST] <<SYS>>\nBe brief.\n\n<</SYS>>\n\n  Hello \n there [/INST] Hi </s><s>[INST] x\n\ny [/INST]"},
    /* llama2:7b */
    {"llama2", PLAIN, "[INST] Hello [/INST] Hi there </s><s>[INST] Who are you? [/INST]"},
    /* llama3:8b */
    {"llama3", SYSTEM, "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHello \n there"
     "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nx\n\ny<|eot_id|><|start_he"
     "ader_id|>assistant<|end_header_id|>\n\n"},
    /* llama3:8b */
    {"llama3", PLAIN, "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id"
     "|><|start_header_id|>user<|end_header_id|>\n\nWho are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    /* nemotron:70b */
    {"llama3-nemotron", SYSTEM, "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHello"
     " \n there<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nx\n\ny<|eot_id|><"
     "|start_header_id|>assistant<|end_header_id|>\n\n"},
    /* nemotron:70b */
    {"llama3-nemotron", PLAIN, "<|start_header_id|>system<|end_header_id|>\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
     "<|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWho are you?<|eot_id|><|start_"
     "header_id|>assistant<|end_header_id|>\n\n"},
    /* llama3.1:8b */
    {"llama3.1", SYSTEM, "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief."
     "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHello \n there<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi<|eot_id|><|"
     "start_header_id|>user<|end_header_id|>\n\nx\n\ny<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    /* llama3.1:8b */
    {"llama3.1", PLAIN, "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
     "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id|><|start_header_"
     "id|>user<|end_header_id|>\n\nWho are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    /* llama3.1:8b */
    {"llama3.1", DONE, "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nS<|eot_id|>"
     "<|start_header_id|>user<|end_header_id|>\n\na<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nb<|eot_id|>"},
    /* Megrez */
    {"megrez", SYSTEM, "<|role_start|>system<|role_end|>Be brief.\n<|turn_end|><|role_start|>user<|role_end|>  Hello \n there <|turn_end|><|role_st"
     "art|>assistant<|role_end|> Hi\n<|turn_end|><|role_start|>user<|role_end|>x\n\ny<|turn_end|><|role_start|>assistant<|role_end|>"},
    /* Megrez */
    {"megrez", PLAIN, "<|role_start|>system<|role_end|>\xE4\xBD\xA0\xE6\x98\xAFMegrez-3B-Instruct\xEF\xBC\x8C\xE5\xB0\x86\xE9\x92\x88\xE5\xAF\xB9"
     "\xE7\x94\xA8\xE6\x88\xB7\xE7\x9A\x84\xE9\x97\xAE\xE9\xA2\x98\xE7\xBB\x99\xE5\x87\xBA\xE8\xAF\xA6\xE7\xBB\x86\xE7\x9A\x84\xE3\x80\x81\xE7\xA7"
     "\xAF\xE6\x9E\x81\xE7\x9A\x84\xE5\x9B\x9E\xE7\xAD\x94\xE3\x80\x82<|turn_end|><|role_start|>user<|role_end|>Hello<|turn_end|><|role_start|>assi"
     "stant<|role_end|>Hi there<|turn_end|><|role_start|>user<|role_end|>Who are you?<|turn_end|><|role_start|>assistant<|role_end|>"},
    /* mistral:7b-instruct */
    {"mistral-v0.1", PLAIN, "[INST] Hello [/INST]Hi there</s> [INST] Who are you? [/INST]"},
    /* Mistral-Large-Instruct-2407 */
    {"mistral-v3", SYSTEM, "[INST]   Hello \n there [/INST] Hi</s>[INST] Be brief.\n\n\nx\n\ny[/INST]"},
    /* Mistral-Large-Instruct-2407 */
    {"mistral-v3", PLAIN, "[INST] Hello[/INST] Hi there</s>[INST] Who are you?[/INST]"},
    /* Nemo */
    {"mistral-v3-tekken", SYSTEM, "[INST]  Hello \n there [/INST] Hi\n</s>[INST]Be brief.\n\n\nx\n\ny[/INST]"},
    /* Nemo */
    {"mistral-v3-tekken", PLAIN, "[INST]Hello[/INST]Hi there</s>[INST]Who are you?[/INST]"},
    /* mistral-large:123b */
    {"mistral-v7", SYSTEM, "[SYSTEM_PROMPT] Be brief.\n[/SYSTEM_PROMPT][INST]   Hello \n there [/INST]  Hi\n</s>[INST] x\n\ny[/INST]"},
    /* mistral-large:123b */
    {"mistral-v7", PLAIN, "[INST] Hello[/INST] Hi there</s>[INST] Who are you?[/INST]"},
    /* mistral-small:24b */
    {"mistral-v7-tekken", SYSTEM, "[SYSTEM_PROMPT]Be brief.\n[/SYSTEM_PROMPT][INST]  Hello \n there [/INST] Hi\n</s>[INST]x\n\ny[/INST]"},
    /* mistral-small:24b */
    {"mistral-v7-tekken", PLAIN, "[INST]Hello[/INST]Hi there</s>[INST]Who are you?[/INST]"},
    /* mixtral:8x22b */
    {"mixtral-8x22b", SYSTEM, "[INST]   Hello \n there [/INST]  Hi\n</s>[INST] Be brief.\n\n\nx\n\ny[/INST]"},
    /* mixtral:8x22b */
    {"mixtral-8x22b", PLAIN, "[INST] Hello[/INST] Hi there</s>[INST] Who are you?[/INST]"},
    /* mixtral:8x22b */
    {"mixtral-8x22b", DONE, "[INST] a[/INST] b</s>"},
    /* openchat:7b */
    {"openchat", SYSTEM, "GPT4 Correct System: Be brief.\n<|end_of_turn|>GPT4 Correct User:   Hello \n there <|end_of_turn|>GPT4 Correct Assistant:"
     "  Hi\n<|end_of_turn|>GPT4 Correct User: x\n\ny<|end_of_turn|>GPT4 Correct Assistant:"},
    /* openchat:7b */
    {"openchat", PLAIN, "GPT4 Correct User: Hello<|end_of_turn|>GPT4 Correct Assistant: Hi there<|end_of_turn|>GPT4 Correct User: Who are you?<|end"
     "_of_turn|>GPT4 Correct Assistant:"},
    /* phi3:3.8b */
    {"phi3", SYSTEM, "<|system|>\nBe brief.\n<|end|>\n<|user|>\n  Hello \n there <|end|>\n<|assistant|>\n Hi\n<|end|>\n<|user|>\nx\n\ny<|end|>\n<|a"
     "ssistant|>\n"},
    /* phi3:3.8b */
    {"phi3", PLAIN, "<|user|>\nHello<|end|>\n<|assistant|>\nHi there<|end|>\n<|user|>\nWho are you?<|end|>\n<|assistant|>\n"},
    /* phi3:14b */
    {"phi3-nosystem", PLAIN, "<|user|>\nHello<|end|>\n<|assistant|>\nHi there<|end|>\n<|user|>\nWho are you?<|end|>\n<|assistant|>\n"},
    /* phi4:14b */
    {"phi4", SYSTEM, "<|im_start|>system<|im_sep|>Be brief.\n<|im_end|><|im_start|>user<|im_sep|>  Hello \n there <|im_end|><|im_start|>assistant<|"
     "im_sep|> Hi\n<|im_end|><|im_start|>user<|im_sep|>x\n\ny<|im_end|><|im_start|>assistant<|im_sep|>"},
    /* phi4:14b */
    {"phi4", PLAIN, "<|im_start|>user<|im_sep|>Hello<|im_end|><|im_start|>assistant<|im_sep|>Hi there<|im_end|><|im_start|>user<|im_sep|>Who are yo"
     "u?<|im_end|><|im_start|>assistant<|im_sep|>"},
    /* phi4-mini:3.8b */
    {"phi4-mini", SYSTEM, "<|system|>Be brief.\n<|end|><|user|>  Hello \n there <|end|><|assistant|> Hi\n<|end|><|user|>x\n\ny<|end|><|assistant|>"},
    /* phi4-mini:3.8b */
    {"phi4-mini", PLAIN, "<|user|>Hello<|end|><|assistant|>Hi there<|end|><|user|>Who are you?<|end|><|assistant|>"},
    /* Qwen1.5-72B */
    {"qwen1.5", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<|im"
     "_end|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n"},
    /* Qwen1.5-72B */
    {"qwen1.5", PLAIN, "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi the"
     "re<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n"},
    /* qwen2:0.5b */
    {"qwen2", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<|im_e"
     "nd|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n"},
    /* qwen2:0.5b */
    {"qwen2", PLAIN, "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi ther"
     "e<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n"},
    /* qwen2.5:0.5b */
    {"qwen2.5", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<|im"
     "_end|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n"},
    /* qwen2.5:0.5b */
    {"qwen2.5", PLAIN, "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHello"
     "<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n"},
    /* qwen2.5:0.5b */
    {"qwen2.5", DONE, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"},
    /* Qwen/Qwen3-0.6B */
    {"qwen3", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<|im_e"
     "nd|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n"},
    /* Qwen/Qwen3-0.6B */
    {"qwen3", PLAIN, "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_"
     "start|>assistant\n"},
    /* Qwen/Qwen3-0.6B */
    {"qwen3", THOUGHTS, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n"},
    /* Qwen/Qwen3-0.6B */
    {"qwen3", DONE, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nb<|im_end|>\n"},
    /* qwen3-next:80b */
    {"qwen3-think", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n"
     "<|im_end|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n<think>\n"},
    /* qwen3-next:80b */
    {"qwen3-think", PLAIN, "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>"
     "\n<|im_start|>assistant\n<think>\n"},
    /* qwen3-next:80b */
    {"qwen3-think", THOUGHTS, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assist"
     "ant\n<think>\n"},
    /* smollm2:135m */
    {"smollm2", SYSTEM, "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<|im"
     "_end|>\n<|im_start|>user\nx\n\ny<|im_end|>\n<|im_start|>assistant\n"},
    /* smollm2:135m */
    {"smollm2", PLAIN, "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nHello"
     "<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n"},
    /* smollm2:135m */
    {"smollm2", DONE, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"},
    /* tulu3 */
    {"tulu", SYSTEM, "<|system|>\nBe brief.\n\n<|user|>\n  Hello \n there \n<|assistant|>\n Hi\n</s>\n<|user|>\nx\n\ny\n<|assistant|>\n"},
    /* tulu3 */
    {"tulu", PLAIN, "<|user|>\nHello\n<|assistant|>\nHi there</s>\n<|user|>\nWho are you?\n<|assistant|>\n"},
    /* vicuna-13b */
    {"vicuna", SYSTEM, "Be brief.\n\n\nUSER:   Hello \n there \nASSISTANT:  Hi\n</s>\nUSER: x\n\ny\nASSISTANT:"},
    /* vicuna-13b */
    {"vicuna", PLAIN, "USER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you?\nASSISTANT:"},
    /* Orca-Vicuna */
    {"vicuna-orca", SYSTEM, "SYSTEM: Be brief.\n\nUSER:   Hello \n there \nASSISTANT:  Hi\n</s>\nUSER: x\n\ny\nASSISTANT:"},
    /* Orca-Vicuna */
    {"vicuna-orca", PLAIN, "USER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you?\nASSISTANT:"},
    /* yi:6b */
    {"yi", SYSTEM, "Be brief.\n<|im_start|>user\n  Hello \n there <|im_end|>\n<|im_start|>assistant\n Hi\n<|im_end|>\n<|im_start|>user\nx\n\ny<|im_"
     "end|>\n<|im_start|>assistant\n"},
    /* yi:6b */
    {"yi", PLAIN, "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_sta"
     "rt|>assistant\n"},
    /* tinyllama */
    {"zephyr", SYSTEM, "<|system|>\nBe brief.\n</s>\n<|user|>\n  Hello \n there </s>\n<|assistant|>\n Hi\n</s>\n<|user|>\nx\n\ny</s>\n<|assistant|>"
     "\n"},
    /* tinyllama */
    {"zephyr", PLAIN, "<|user|>\nHello</s>\n<|assistant|>\nHi there</s>\n<|user|>\nWho are you?</s>\n<|assistant|>\n"},
};

static void test_authors(void **state) {
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char text[4096];
        size_t bytes = 0;
        leat_error error = {0};
        int talk = expected[i].talk;
        if (leat_chat_render(expected[i].name, NULL, talks[talk].messages, talks[talk].count, talks[talk].flags, text, sizeof text - 1, &bytes, &error))
            fail_msg("%s: %s", expected[i].name, error.message);
        text[bytes] = 0;
        if (strcmp(text, expected[i].text)) fail_msg("%s, conversation %d:\n%s\nexpected:\n%s", expected[i].name, talk, text, expected[i].text);
    }
}

/* What must be given, and what has no place. */
static void test_system_messages(void **state) {
    static const struct {
        const char *name;
        int         talk, status;
        const char *says;
    } cases[] = {
        {"chatml-own", PLAIN, LEAT_EUNSUPPORTED, "system message of its own"}, {"granite-own", PLAIN, LEAT_EUNSUPPORTED, "--system TEXT"},
        {"mistral-v7-tekken-own", PLAIN, LEAT_EUNSUPPORTED, "--system TEXT"},
        {"chatml-own", SYSTEM, LEAT_OK, ""}, {"phi3-nosystem", SYSTEM, LEAT_EUNSUPPORTED, "'phi3-nosystem' has no system message"}, {"phi3-nosystem", PLAIN, LEAT_OK, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        size_t bytes = 0;
        leat_error error = {0};
        int talk = cases[i].talk;
        assert_int_equal(leat_chat_render(cases[i].name, NULL, talks[talk].messages, talks[talk].count, talks[talk].flags, text, sizeof text, &bytes, &error), cases[i].status);
        assert_non_null(strstr(error.message, cases[i].says));
    }
    for (int i = 0; leat_chat_name(i); i++) { /* no conversation yet: every format takes that */
        size_t bytes = 0;
        int status = leat_chat_render(leat_chat_name(i), NULL, NULL, 0, LEAT_CHAT_PROMPT, NULL, 0, &bytes, NULL);
        assert_int_equal(status, bytes ? LEAT_ELIMIT : LEAT_OK);
    }
}

/* SmolLM3's switches and date; Llama 3.2's date.  As Jinja2 writes the authors' templates where strftime_now tells 9 February 2024. */
#define SMOLLM3(mode) "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\nToday Date: 09 February 2024\nReasoning Mode: " mode "\n\n## Custom Instructions\n\n"
static void test_dates_and_switches(void **state) {
    static const struct {
        const char *name, *system, *reply, *text;
    } cases[] = {
        {"smollm3", "Be brief. /no_think\n", "\n\nb", SMOLLM3("/no_think") "Be brief.\n\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\nb<|im_end|>\n"
         "<|im_start|>assistant\n<think>\n\n</think>\n"},
        {"smollm3", " /no_think", NULL, SMOLLM3("/no_think") "You are a helpful AI assistant named SmolLM, trained by Hugging Face.\n\n<|im_start|>user\na<|im_end|>\n"
         "<|im_start|>assistant\n<think>\n\n</think>\n"},
        {"smollm3", "/think A/thi/no_thinknk", "x\n", SMOLLM3("/no_think") " A\n\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\nx\n<|im_end|>\n"
         "<|im_start|>assistant\n<think>\n\n</think>\n"},
        {"smollm3", "B /think", "\nx", SMOLLM3("/think") "B\n\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nx<|im_end|>\n<|im_start|>assistant\n"},
        {"smollm3", "/system_override /thi/no_thinknkX /system_override ", NULL,
         "<|im_start|>system\n X<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n"},
        {"llama3.2", "S", NULL, "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 09 Feb 2024\n\nS<|eot_id|>"
         "<|start_header_id|>user<|end_header_id|>\n\na<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    };
    char text[4096];
    size_t bytes = 0, again = 0;
    leat_error error = {0};
    setenv("LEAT_DATE", "2024-02-09", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const leat_chat_message talk[] = {{"system", cases[i].system}, {"user", "a"}, {"assistant", cases[i].reply}};
        assert_int_equal(leat_chat_render(cases[i].name, NULL, talk, cases[i].reply ? 3 : 2, LEAT_CHAT_PROMPT, text, sizeof text - 1, &bytes, &error), LEAT_OK);
        text[bytes] = 0;
        assert_string_equal(text, cases[i].text);
    }
    static const leat_chat_message hello[] = {{"user", "Hello"}, {"system", "late"}};
    static const leat_chat_message empty[] = {{"system", " /think "}, {"user", "Hello"}}, quiet[] = {{"system", "/no_think"}, {"user", "Hello"}};
    for (int given = 0; given < 2; given++) { /* its instructions for thinking aloud are not known here */
        assert_int_equal(leat_chat_render("smollm3", NULL, given ? empty : hello, 1 + given, LEAT_CHAT_PROMPT, text, sizeof text - 1, &bytes, &error), LEAT_EUNSUPPORTED);
        assert_non_null(strstr(error.message, "--system"));
    }
    assert_int_equal(leat_chat_render("smollm3", NULL, hello, 2, 0, text, sizeof text, &bytes, &error), LEAT_EUNSUPPORTED);
    assert_non_null(strstr(error.message, "in the first place only"));
    static const char *const wrong[] = {"today", "2024-13-01", "2024-02-09x", "2024-02", "2024-02-00"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("LEAT_DATE", wrong[i], 1);
        assert_int_equal(leat_chat_render("smollm3", NULL, quiet, 2, 0, text, sizeof text, &bytes, &error), LEAT_EINVAL);
        assert_non_null(strstr(error.message, "LEAT_DATE"));
    }
    unsetenv("LEAT_DATE"); /* the clock's: what it gives is given by strftime too */
    time_t now = time(NULL);
    struct tm local;
    char want[32];
    strftime(want, sizeof want, "Date: %d %B %Y\n", localtime_r(&now, &local));
    assert_int_equal(leat_chat_render("smollm3", NULL, quiet, 2, 0, text, sizeof text - 1, &again, &error), LEAT_OK);
    text[again] = 0;
    assert_true(strstr(text, want) != NULL || (local.tm_hour == 23 && local.tm_min == 59));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dates_and_switches), cmocka_unit_test(test_authors), cmocka_unit_test(test_system_messages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
