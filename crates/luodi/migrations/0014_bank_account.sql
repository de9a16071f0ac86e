-- Why a party has another account beside one in use: who approves it reads this.
ALTER TABLE bank_account ADD COLUMN second_reason TEXT;
