/* test_chat.c - chat formats: recognition by fragments, conversations as text, refusals.
 *
 * Expected strings were recorded from the authors' templates run by Jinja2, but for those of alpaca and plain, which have no template, and of mistral-v3, whose template
 * does not take these conversations: they were written by hand after the published descriptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gguf_build.h"
#include "leat/chat.h"

static const leat_chat_message talk[] = {
    {"system", "You are a helpful assistant"}, {"user", "Hello"}, {"assistant", "Hi there"}, {"user", "Who are you"}, {"assistant", "   I am an assistant   "},
    {"user", "Another question"},
};

/* \xEF\xBD\x9C is the bar of DeepSeek's tokens. */
#define BAR "\xEF\xBD\x9C"

static void test_talk(void **state) {
    static const char *const expected[][2] = {
        {"chatml", "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you"
                   "<|im_end|>\n<|im_start|>assistant\n   I am an assistant   <|im_end|>\n<|im_start|>user\nAnother question<|im_end|>\n<|im_start|>assistant\n"},
        {"llama2", "[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST] Hi there </s><s>[INST] Who are you [/INST] I am an assistant </s><s>[INST] Another question [/INST]"},
        {"llama2-flat", "[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST] Hi there </s>[INST] Who are you [/INST] I am an assistant </s>[INST] Another question [/INST]"},
        {"mistral-v0", "[INST] You are a helpful assistant\n\nHello [/INST]Hi there</s>[INST] Who are you [/INST]   I am an assistant   </s>[INST] Another question [/INST]"},
        {"mistral-v1", " [INST] You are a helpful assistant\n\nHello [/INST] Hi there</s> [INST] Who are you [/INST]    I am an assistant   </s> [INST] Another question [/INST]"},
        {"mistral-v3", "[INST] Hello[/INST] Hi there</s>[INST] Who are you[/INST] I am an assistant</s>[INST] You are a helpful assistant\n\nAnother question[/INST]"},
        {"mistral-v3-tekken", "[INST]Hello[/INST]Hi there</s>[INST]Who are you[/INST]   I am an assistant   </s>[INST]You are a helpful assistant\n\nAnother question[/INST]"},
        {"mistral-v7", "[SYSTEM_PROMPT] You are a helpful assistant[/SYSTEM_PROMPT][INST] Hello[/INST] Hi there</s>[INST] Who are you[/INST]"
                       "    I am an assistant   </s>[INST] Another question[/INST]"},
        {"llama3", "<|start_header_id|>system<|end_header_id|>\n\nYou are a helpful assistant<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant"
                   "<|end_header_id|>\n\nHi there<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWho are you<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nI am an assistant"
                   "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnother question<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
        {"gemma", "<start_of_turn>user\nYou are a helpful assistant\n\nHello<end_of_turn>\n<start_of_turn>model\nHi there<end_of_turn>\n<start_of_turn>user\nWho are you<end_of_turn>\n"
                  "<start_of_turn>model\nI am an assistant<end_of_turn>\n<start_of_turn>user\nAnother question<end_of_turn>\n<start_of_turn>model\n"},
        {"phi3", "<|system|>\nYou are a helpful assistant<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\nHi there<|end|>\n<|user|>\nWho are you<|end|>\n<|assistant|>\n   I am an assistant   "
                 "<|end|>\n<|user|>\nAnother question<|end|>\n<|assistant|>\n"},
        {"phi4", "<|im_start|>system<|im_sep|>You are a helpful assistant<|im_end|><|im_start|>user<|im_sep|>Hello<|im_end|><|im_start|>assistant<|im_sep|>Hi there<|im_end|><|im_start|>user"
                 "<|im_sep|>Who are you<|im_end|><|im_start|>assistant<|im_sep|>   I am an assistant   <|im_end|><|im_start|>user<|im_sep|>Another question<|im_end|><|im_start|>assistant<|im_sep|>"},
        {"zephyr", "<|system|>\nYou are a helpful assistant</s>\n<|user|>\nHello</s>\n<|assistant|>\nHi there</s>\n<|user|>\nWho are you</s>\n<|assistant|>\n   I am an assistant   </s>\n<|user|>\n"
                   "Another question</s>\n<|assistant|>\n"},
        {"vicuna", "You are a helpful assistant\n\nUSER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you\nASSISTANT:    I am an assistant   </s>\nUSER: Another question\nASSISTANT:"},
        {"vicuna-orca", "SYSTEM: You are a helpful assistant\nUSER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you\nASSISTANT:    I am an assistant   </s>\nUSER: Another question\nASSISTANT:"},
        {"deepseek2", "You are a helpful assistant\n\nUser: Hello\n\nAssistant: Hi there</s>User: Who are you\n\nAssistant:    I am an assistant   </s>User: Another question\n\nAssistant:"},
        {"deepseek3", "You are a helpful assistant<" BAR "User" BAR ">Hello<" BAR "Assistant" BAR ">Hi there</s><" BAR "User" BAR ">Who are you<" BAR "Assistant" BAR ">   I am an assistant   </s>"
                      "<" BAR "User" BAR ">Another question<" BAR "Assistant" BAR ">"},
        {"deepseek-coder", "You are a helpful assistant### Instruction:\nHello\n### Response:\nHi there\n<|EOT|>\n### Instruction:\nWho are you\n### Response:\n   I am an assistant   \n<|EOT|>\n"
                           "### Instruction:\nAnother question\n### Response:\n"},
        {"command-r", "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>You are a helpful assistant<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hello<|END_OF_TURN_TOKEN|>"
                      "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hi there<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Who are you<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|>"
                      "<|CHATBOT_TOKEN|>I am an assistant<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Another question<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
        {"granite", "<|start_of_role|>system<|end_of_role|>You are a helpful assistant<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Hello<|end_of_text|>\n<|start_of_role|>assistant"
                    "<|end_of_role|>Hi there<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Who are you<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>   I am an assistant   "
                    "<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Another question<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"},
        {"chatglm4", "[gMASK]<sop><|system|>\nYou are a helpful assistant<|user|>\nHello<|assistant|>\nHi there<|user|>\nWho are you<|assistant|>\n   I am an assistant   <|user|>\n"
                     "Another question<|assistant|>"},
        {"openchat", "GPT4 Correct System: You are a helpful assistant<|end_of_turn|>GPT4 Correct User: Hello<|end_of_turn|>GPT4 Correct Assistant: Hi there<|end_of_turn|>GPT4 Correct User: "
                     "Who are you<|end_of_turn|>GPT4 Correct Assistant:    I am an assistant   <|end_of_turn|>GPT4 Correct User: Another question<|end_of_turn|>GPT4 Correct Assistant:"},
        {"megrez", "<|role_start|>system<|role_end|>You are a helpful assistant<|turn_end|><|role_start|>user<|role_end|>Hello<|turn_end|><|role_start|>assistant<|role_end|>Hi there<|turn_end|>"
                   "<|role_start|>user<|role_end|>Who are you<|turn_end|><|role_start|>assistant<|role_end|>   I am an assistant   <|turn_end|><|role_start|>user<|role_end|>Another question"
                   "<|turn_end|><|role_start|>assistant<|role_end|>"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char text[4096];
        size_t bytes = 0;
        leat_error error = {0};
        if (leat_chat_render(expected[i][0], NULL, talk, 6, LEAT_CHAT_PROMPT, text, sizeof text, &bytes, &error)) fail_msg("%s", error.message);
        text[bytes] = 0;
        assert_string_equal(text, expected[i][1]);
        size_t again = 0; /* too little room: what fits, and how much it would be */
        memset(text, 'x', 64);
        assert_int_equal(leat_chat_render(expected[i][0], NULL, talk, 6, LEAT_CHAT_PROMPT, text, 20, &again, &error), LEAT_ELIMIT);
        assert_int_equal(again, bytes);
        assert_memory_equal(text, expected[i][1], 20);
        assert_int_equal(text[20], 'x');
    }
}

/* Fragments as the authors' templates have them, in templates of our own. */
static void test_recognised(void **state) {
    static const char *const templates[][2] = {
        {"chatml", "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}"},
        {"phi4", "<|im_start|>user<|im_sep|>"},
        {"qwen3", "<|im_start|> {% set last_query_index %}{% if enable_thinking %}"},
        {"qwen3-think", "last_query_index '\\n</think>\\n\\n' + content '<|im_start|>assistant\\n<think>\\n'"},
        {"qwq", "content.split('</think>')[-1] '<|im_start|>assistant\n<think>\n'"},
        {"qwen1.5", "<|im_start|>system\nYou are a helpful assistant<|im_end|>"},
        {"chatml-own", "{{ '<|im_start|>system\\nYou are Somebody.<|im_end|>' }}"},
        {"qwen2.5", "{% if messages[0] %}<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>"},
        {"qwen2", "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>"},
        {"smollm2", "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>"},
        {"llama2", "{{ bos_token + '[INST] ' + content }} <<SYS>>"},
        {"llama2-flat", "{{ '[INST] ' + content }} <<SYS>>"},
        {"mistral-v0", "{{ '[INST] ' + message['content'] + ' [/INST]' }}"},
        {"mistral-v1", "{{- ' [INST] ' + system_message + x }}{{ ' [INST] ' + message }}"},
        {"mistral-v3", "[AVAILABLE_TOOLS] {{ \"[INST] \" + x }}"},
        {"mistral-v3-tekken", "[AVAILABLE_TOOLS] {{ \"[INST]\" + x }}"},
        {"mistral-v7", "{{ '[SYSTEM_PROMPT] ' + x }}{{ '[INST] ' }}"},
        {"mistral-v7-tekken", "{{ '[SYSTEM_PROMPT]' + x }}{{ '[INST]' }}"},
        {"llama3", "<|start_header_id|>x<|end_header_id|>"},
        {"llama3.1", "<|start_header_id|>x<|end_header_id|> Cutting Knowledge Date: December 2023\\n Today Date: "},
        {"llama3-nemotron", "<|start_header_id|>x<|end_header_id|> {%- set system_message = \"\" %}"},
        {"phi3-nosystem", "'<|user|>' + '\n' + message['content'] + '<|end|>' '<|assistant|>'"},
        {"phi4-mini", "'<|' + message['role'] + '|>' + message['content'] + '<|end|>' '<|assistant|>'"},
        {"mixtral-8x22b", "'[INST] ' + system_message + message['content'] + '[/INST]'"},
        {"mistral-v0.1", "'[INST] ' + message['content'] + ' [/INST]' message['content'] + eos_token + ' '"},
        {"mistral-v7-tekken-own", "{%- set default_system_message %}[INST] '[SYSTEM_PROMPT]'"},
        {"granite-own", "<|start_of_role|>system<|end_of_role|>Knowledge Cutoff Date: April"},
        {"tulu", "'<|system|>\n' '<|user|>\n' + message['content'] + '\n' '<|assistant|>' eos_token"},
        {"gemma", "<start_of_turn>x<end_of_turn>"},
        {"phi3", "<|system|> <|user|>\n<|end|>\n<|assistant|>"},
        {"zephyr", "'<|user|>\n' + message['content'] + eos_token <|assistant|>"},
        {"falcon3", "<|user|> </s> <|assistant|>"},
        {"command-r", "<|START_OF_TURN_TOKEN|><|USER_TOKEN|> <|CHATBOT_TOKEN|>"},
        {"granite", "<|start_of_role|>user<|end_of_role|>"},
        {"deepseek3", "<" BAR "User" BAR "> <" BAR "Assistant" BAR ">"},
        {"deepseek-r1", "<" BAR "User" BAR "> <" BAR "Assistant" BAR "><think>\\n"},
        {"deepseek2", "{{ 'User: ' + x }}{{ 'Assistant: ' + message['content'] + eos_token }}"},
        {"deepseek-coder", "### Instruction: <|EOT|>"},
        {"vicuna", "'USER: ' 'ASSISTANT: '"},
        {"vicuna-orca", "'SYSTEM: ' 'USER: ' 'ASSISTANT: '"},
        {"smollm3", "<|im_start|> {{- \"Knowledge Cutoff Date: June 2025\\n\" -}} strftime_now(\"%d %B %Y\") custom_instructions.replace(\"/system_override\", \"\")\n"
                    "    {{- \"\\n\\n\" -}}\n    {{- \"<|im_end|>\\n\" -}}\n  {%- endif -%}\n{%- endif -%}"},
        {NULL, "<|im_start|>system\\n You are a helpful AI assistant named SmolLM, trained by Hugging Face Reasoning Mode: enable_thinking"}, /* a SmolLM3 of another kind */
        {"llama3.2", "<|start_header_id|>x<|end_header_id|> Cutting Knowledge Date: December 2023 Today Date: strftime_now(\"%d %b %Y\")"},
        {NULL, "{{ messages }}"},
        {NULL, "<|START_OF_TURN_TOKEN|><|USER_TOKEN|> <|CHATBOT_TOKEN|><|START_RESPONSE|>"}, /* like one of ours, and not */
        {NULL, "<|start_header_id|>x<|end_header_id|> Check if there is unsafe content"},
        {NULL, "<|im_start|>assistant\\n<think>\\n enable_thinking"},
        {NULL, "[gMASK]<sop> <|assistant|><think>"},
        {NULL, ""},
    };
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        const char *name = leat_chat_recognise(templates[i][1], strlen(templates[i][1]));
        if (!templates[i][0]) assert_null(name);
        else assert_string_equal(name ? name : "(none)", templates[i][0]);
    }
    assert_null(leat_chat_recognise(NULL, 0));
    assert_non_null(leat_chat_name(0));
    assert_null(leat_chat_name(-1));
    assert_null(leat_chat_name(1000));
}

static void test_particular(void **state) {
    static const leat_chat_message thoughtful[] = {{"user", "a"}, {"assistant", "<think>\nhm\n</think>\n\nb"}, {"user", "c"}, {"assistant", "<think>x</think>d"}};
    static const leat_chat_message tool[] = {{"user", "a"}, {"tool", "b"}};
    static const leat_chat_message late[] = {{"user", "a"}, {"system", "b"}};
    char text[1024];
    size_t bytes = 0;
    leat_error error = {0};
    assert_int_equal(leat_chat_render("qwen3", NULL, thoughtful, 4, 0, text, sizeof text, &bytes, &error), LEAT_OK);
    text[bytes] = 0;
    assert_string_equal(text, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n<think>\nx\n</think>\n\nd<|im_end|>\n");
    assert_int_equal(leat_chat_render("deepseek-r1", NULL, thoughtful, 3, LEAT_CHAT_PROMPT, text, sizeof text, &bytes, &error), LEAT_OK);
    text[bytes] = 0;
    assert_string_equal(text, "<" BAR "User" BAR ">a<" BAR "Assistant" BAR ">\n\nb</s><" BAR "User" BAR ">c<" BAR "Assistant" BAR "><think>\n");
    assert_int_equal(leat_chat_render("qwen2.5", NULL, talk + 1, 1, LEAT_CHAT_PROMPT, text, sizeof text, &bytes, &error), LEAT_OK);
    text[bytes] = 0;
    assert_string_equal(text, "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
    assert_int_equal(leat_chat_render("chatml", NULL, tool, 2, 0, text, sizeof text, &bytes, &error), LEAT_OK);
    assert_int_equal(leat_chat_render("gemma", NULL, tool, 2, 0, text, sizeof text, &bytes, &error), LEAT_EUNSUPPORTED);
    assert_non_null(strstr(error.message, "no role 'tool'"));
    assert_int_equal(leat_chat_render("llama2", NULL, late, 2, 0, text, sizeof text, &bytes, &error), LEAT_EUNSUPPORTED);
    assert_int_equal(leat_chat_render("llama2", NULL, talk, 1, 0, text, sizeof text, &bytes, &error), LEAT_EUNSUPPORTED);
    assert_int_equal(leat_chat_render("nonesuch", NULL, talk, 1, 0, text, sizeof text, &bytes, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "there are: "));
    assert_int_equal(leat_chat_render("chatml", NULL, talk, -1, 0, text, sizeof text, &bytes, &error), LEAT_EINVAL);
    assert_int_equal(leat_chat_render("chatml", NULL, (leat_chat_message[]){{"user", NULL}}, 1, 0, text, sizeof text, &bytes, &error), LEAT_EINVAL);
    assert_int_equal(leat_chat_render("chatml", NULL, NULL, 0, 0, NULL, 0, &bytes, &error), LEAT_OK);
    assert_int_equal(bytes, 0);
}

static void test_file(void **state) {
    static const struct {
        const char *text;
        int         status;
        const char *name;
    } files[] = {{"<|im_start|>", LEAT_OK, "chatml"}, {"{{ something else }}", LEAT_EUNSUPPORTED, "something else"}, {NULL, LEAT_EUNSUPPORTED, "no chat template"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        gguf_out o = {.n = 0};
        leat_gguf *file;
        leat_error error = {0};
        const char *name;
        g_header(&o, 3, 0, files[i].text != NULL);
        if (files[i].text) {
            g_key(&o, "tokenizer.chat_template", LEAT_GGUF_STRING);
            g_text(&o, files[i].text);
        }
        g_pad(&o, 32);
        assert_int_equal(leat_gguf_open_memory(o.bytes, o.n, &file, &error), LEAT_OK);
        assert_int_equal(leat_chat_of_file(file, &name, &error), files[i].status);
        if (files[i].status) assert_non_null(strstr(error.message, files[i].name));
        else assert_string_equal(name, files[i].name);
        if (files[i].status) assert_non_null(strstr(error.message, "--template NAME): phi4 "));
        if (files[i].status) assert_non_null(strstr(error.message, " raw"));
        leat_gguf_close(file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_talk), cmocka_unit_test(test_recognised), cmocka_unit_test(test_particular), cmocka_unit_test(test_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
