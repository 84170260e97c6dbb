"""embed_texts.py - texts that try a word-piece tokenizer and an encoder: languages, accents, punctuation, white space, odd characters, lengths up to and beyond 512 tokens."""
SHORT = [
    '', ' ', '\t\n\r ', 'a', '.', '...', '!?', 'Hello', 'hello world', 'Hello, World!', 'HELLO WORLD', 'The quick brown fox jumps over the lazy dog.',
    'A man is playing a guitar on the street.', 'Somebody makes music outdoors.', 'The stock market fell sharply on Monday.', 'How do I reset my password?',
    "I can't believe it's not butter; they're (really) sure.", 'unbelievable antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis',
    'state-of-the-art e-mail, well-known', 'a_b_c snake_case CamelCase', 'price: $1,234.56 (+7.8%) #1 @home ~^`|<=>', '3.14159 2026-11-21T12:34:56Z 192.168.0.1 0xDEADBEEF',
    'https://example.org/path?query=1&other=%20#fragment', 'int main(void) { return a[i] * b->c; }', 'SELECT * FROM t WHERE x >= 10;', 'C:\\Windows\\System32', '"quoted" \'single\' `back`',
]
LANGUAGES = [
    'Größe, Übermut und Straße', 'Ça va très bien, élève naïf à Noël.', 'El niño pingüino comió jalapeños.', 'Žluťoučký kůň úpěl ďábelské ódy', 'İstanbul ılık ŞİŞLİ', 'Đây là tiếng Việt có dấu',
    'Быстрая лиса прыгает через ленивую собаку. Ёлка', 'Η γρήγορη αλεπού ΟΔΟΣ Σίσυφος', 'שָׁלוֹם עולם', 'السَّلَامُ عَلَيْكُمْ', 'नमस्ते दुनिया', 'สวัสดีชาวโลก', '我们在北京学习机器学习。', '吾輩は猫である。名前はまだ無い。',
    'カタカナ ｶﾞｷﾞｸﾞ ひらがな', '안녕하세요 세계', 'mixed 漢字 and English 中文', '𠀀𠀁 rare ideographs', '豈更車 compatibility ideographs',
]
ODD = [
    'emoji 😀👩‍👩‍👧 🇩🇪 ❤️', 'e\u0301 a\u0308 o\u0303 combining', 'ﬁ ﬂ ½ ² ™ ① Å', 'fullwidth ＡＢＣ １２３！', 'zero\u200bwidth\u200cjoin\u200ders\ufeff', 'non\u00a0breaking\u2003em space\u3000wide',
    'control\x01\x02\x7f\x85chars', 'vertical\x0btab form\x0cfeed', 'line\u2028and\u2029paragraph', 'replacement \ufffd here', 'nul\x00inside', 'soft\u00adhyphen', '\u2581mark \u2581 within\u2581word',
    'private \ue000 use', 'unassigned \u0378 point', 'tab\tseparated\tvalues', 'dash – em — minus − hyphen ‐', '«guillemets» “curly” ‘quotes’ …', '¡Hola! ¿Qué?', '§ ¶ † ‡ • ° ± × ÷', 'math ∑∫√∞≠ αβγ',
    '[unused1] [brackets] {braces}', 'x' * 100, 'x' * 101, 'word ' + 'é' * 101 + ' end', 'a' * 99 + 'b.c', '!' * 60,
]
LONG = ['the cat sat on the mat and ' * 18, 'Sentence number one is here. ' * 40, '学习' * 200, 'lorem ipsum dolor sit amet ' * 56, 'more than fits ' * 200]
TEXTS = SHORT + LANGUAGES + ODD + LONG
